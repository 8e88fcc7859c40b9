"""What is written, and the readers of the table's stream."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from tests.simulation.engine import Chance, Task
from tests.simulation.world.processes import Processes
from tests.worlds.stream import StreamReader, stream_readers


class Stream(Processes):
    """The table's stream, and its two readers with their batches and repeats."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        super().__init__(chance, calls_per_minute, kinds)
        self.watchers: list[Callable[[dict[str, Any] | None, dict[str, Any] | None], None]] = []
        self.outbox_dead: list[dict[str, Any]] = []
        self._reading: set[str] = set()
        self._read_to = {reader.name: 0 for reader in stream_readers()}
        """How far each reader of the stream has come."""
        self.table.watch = self._written

    def _written(self, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        for watcher in self.watchers:
            watcher(before, after)
        for reader in stream_readers():
            if reader.name not in self._reading:
                self._reading.add(reader.name)
                wait = self.chance.between(0.05, 0.3, "stream", reader.name, self.engine.at)
                self.engine.after(wait, lambda reader=reader: self._read_stream(reader))  # type: ignore[misc]

    def _read_stream(self, reader: StreamReader) -> None:
        position = self._read_to[reader.name]
        taken = self.table.stream[position : position + reader.batch]
        self._read_to[reader.name] = position + len(taken)
        if not taken:
            self._reading.discard(reader.name)
            return
        due = [record for record in taken if reader.lets_through(record)]
        self._publish(
            reader, due, 0, self.engine.now, lambda: self.engine.after(0.02, lambda: self._read_stream(reader))
        )

    def _publish(
        self,
        reader: StreamReader,
        records: list[dict[str, Any]],
        attempt: int,
        read_at: datetime,
        then: Callable[[], None],
    ) -> None:
        """One batch of the shard, until it goes through; what follows waits. Halved when it fails."""
        if not records:
            then()
            return
        first = records[0]["dynamodb"]["Keys"]["sk"]["S"]

        def ended(task: Task) -> None:
            if task.finished and task.error is None:
                if self.chance.happens("stream delivers a batch again", task.key):
                    self.engine.tell(f"the stream delivers {len(records)} records again")
                    self._publish(reader, records, 0, read_at, then)
                else:
                    then()
            elif self.engine.now - read_at >= reader.patience:
                self.outbox_dead += records
                then()
            else:
                half = len(records) // 2
                pause = min(60.0, 0.5 * 2**attempt)
                following = attempt if half else attempt + 1
                self.engine.after(
                    pause,
                    lambda: self._publish(
                        reader,
                        records[:half],
                        following,
                        read_at,
                        lambda: self._publish(reader, records[half:], following, read_at, then),
                    ),
                )

        self.invoke("outbox_publisher", {"Records": records}, f"{first}", ended)
