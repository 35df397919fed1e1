from podwright.conformance.peer import CriPeer as CriPeer
from tests.fixtures import FreshPodwright as FreshPodwright
