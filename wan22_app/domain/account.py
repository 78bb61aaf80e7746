"""Who acts."""

from wan22_app.domain.values import Value


class Person(Value):
    """Somebody who owns jobs, outputs and LoRAs. Every service call takes one."""

    id: str
    name: str


LOCAL_PERSON = Person(id="local", name="You")
"""The one person of an installation without accounts; the first migration inserts the row."""
