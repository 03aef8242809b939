"""What must be in the servers before a service starts: the database's schema and roles, and Kafka's topics."""

from collections.abc import Callable, Mapping

from deploy.local import environment
from shared import migrations, topics
from shared.settings import TopicSettings, load

Say = Callable[[str], None]


def migrate(values: Mapping[str, str], say: Say) -> None:
    """Bring the database up to date, and give the roles their passwords.

    Raises:
        PlumblineError: a migration failed.
        psycopg.OperationalError: the database can't be reached.
    """
    passwords = {role: values[f"{role.upper()}_PASSWORD"] for role in environment.ROLES.values()}
    for name in migrations.migrate(environment.conninfo(values), passwords):
        say(f"applied migration {name}")


def make_topics(values: Mapping[str, str], say: Say) -> None:
    """Make the topics that are missing, as the TOPIC_ variables of this process' environment say.

    Raises:
        Unavailable: no broker answers.
        PlumblineError: a topic was refused.
    """
    own = {"kafka_bootstrap_servers": values["KAFKA_BOOTSTRAP_SERVERS"], "kafka_security_protocol": "PLAINTEXT"}
    for name in topics.ensure(load(TopicSettings).model_copy(update=own)):
        say(f"made topic {name}")
