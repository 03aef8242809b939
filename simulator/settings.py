"""What the simulator reads from the environment."""

from shared.settings import ServiceSettings, TopicSettings
from simulator.http.settings import TokenSettings


class SimulatorSettings(TokenSettings, TopicSettings, ServiceSettings):
    """Where to send, over Kafka or HTTP."""
