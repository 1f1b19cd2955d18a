"""Every connector of the registry keeps the contract."""

from tests.connectors.contract import *  # noqa: F403
from tests.connectors.contract_faults import *  # noqa: F403
