"""From a pod to CRI calls: the configs that are sent (pure), and the calls that are made (effects)."""
