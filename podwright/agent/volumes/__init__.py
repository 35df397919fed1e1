"""The volumes of pods: plug-ins plan them, `manager` keeps them as the pods want them, `teardown` removes them."""
