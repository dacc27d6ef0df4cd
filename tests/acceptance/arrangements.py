"""How a demand has a story's records delivered: which records, in which run, in which file.

Every arrangement ends in the marts of the story as it was told, whatever it did on the way.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

from callhouse.settings import PROJECT

from . import records
from .dialects import DIALECTS, Dialect, Told
from .records import Record
from .scenes import Scene, stage
from .stories import Story

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA", PROJECT.parent / "shared" / "data"))
TWIN = "_twin"
PARTS = 3
RUNS = 2
_HOSTILE = (
    "", " ", "'", '"', "\\", "\\N", "\\.", "|", ",", "a\nb", "a\r\nb", "\t", "\0", "a\0b", "NULL", "None",
    "NaN", "Infinity", "-1", "1e400", "99999999999999999999", "'; drop table raw.x; --", "{{ 1 / 0 }}",
    "{% raw %}", "$$", "%s %(x)s %", "../../etc/passwd", "=1+1", "<script>", "\u202egnp.exe", "\u2028",
    "\ufeff", "\ufffe", "\U0001f600", "e\u0301" * 50, "\ud800", "x" * 10_000,
    "0000-00-00 00:00:00", "2026-02-30T25:61:61Z",
    "infinity", "epoch", "now", "true", "[]", "{}", "9" * 400,
)  # fmt: skip


@dataclass(frozen=True)
class Telling:
    """A story told to a source by a demand's arrangement, on dates that no other telling touches.

    ``dice`` decides what the arrangement leaves to chance.
    """

    demand: str
    kind: str
    number: int
    first: date
    story: Story
    dice: int

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.kind]

    def scene(self, mark: str = "e", source: str | None = None) -> Scene:
        """The story on stage; ``mark`` v: with ids of a victim, which no figure is asked of."""
        return stage(self.story, f"{mark}{self.number}", source or self.kind, self.first)

    def told(self, mark: str = "e", source: str | None = None) -> Told:
        scene = self.scene(mark, source)
        return self.dialect.tell(scene, self.dialect.calls_of(scene))


@dataclass(frozen=True)
class Delivered:
    """A record in the file number ``part`` of a raw table, in a run."""

    run: int
    table: str
    part: int
    record: Record
    source: str = ""


Arrangement = Callable[[Telling, random.Random], Iterator[Delivered]]


def _each(told: Told) -> Iterator[tuple[str, Record]]:
    for table, found in told.items():
        for record in found:
            yield table, record


def whole(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Once, in order."""
    for table, record in _each(telling.told()):
        yield Delivered(0, table, 0, record)


def known_to_both(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Once, and to the twin as well: what is open ends with the data, so theirs ends on the same day."""
    yield from whole(telling, dice)
    twin = telling.kind + TWIN
    for table, record in _each(telling.told(source=twin)):
        yield Delivered(0, table, 0, record, twin)


def twice(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """In two files of one run, and again in the next one."""
    for table, record in _each(telling.told()):
        for run, part in ((0, 0), (0, 1), (1, 0)):
            yield Delivered(run, table, part, record)


def _in_pieces(told: Told, dice: random.Random) -> Iterator[Delivered]:
    for table, found in told.items():
        order = found + dice.choices(found, k=dice.randrange(10)) if found else []
        dice.shuffle(order)
        places = sorted(dice.choices(range(RUNS * PARTS), k=len(order)))
        for place, record in zip(places, order, strict=True):
            yield Delivered(place // PARTS, table, place % PARTS, record)


def pieces(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """In any order, some twice, in several files over two runs."""
    yield from _in_pieces(telling.told(), dice)


def _cut(telling: Telling, dice: random.Random, runs: tuple[int, int]) -> Iterator[Delivered]:
    for table, found in telling.told().items():
        cut = dice.randint(0, len(found))
        for index, record in enumerate(found):
            yield Delivered(runs[index >= cut], table, 0, record)


def resumed(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Up to any point, and the rest by the next run."""
    yield from _cut(telling, dice, (0, 1))


def late(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """The end first; its beginning years later, when much younger dates are published."""
    yield from _cut(telling, dice, (1, 0))


def beginning_last(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Only the beginning of one stream by the next run; the dice count through the streams and their cuts."""
    told = telling.told()
    cuts = [
        (table, cut)
        for table, found in told.items()
        for cut in range(1, len(found) + 1, max(1, len(found) // 8))
    ]
    late_table, late_cut = cuts[telling.dice % len(cuts)] if cuts else ("", 0)
    for table, found in told.items():
        for index, record in enumerate(found):
            yield Delivered(int(table == late_table and index < late_cut), table, 0, record)


def apart(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """One stream by the first run, the other by the next."""
    for number, (table, found) in enumerate(telling.told().items()):
        for record in found:
            yield Delivered((number + telling.dice) % 2, table, 0, record)


def corrected(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Wrong before right; where versions are stated, also the other way round."""
    for table, record in _each(telling.told()):
        earlier = telling.dialect.earlier.get(table)
        wrong_run, right_run = 0, 1
        if telling.dialect.are_versions_stated:
            wrong_run, right_run = dice.choice([(0, 1), (1, 0), (0, 0)])
        yield Delivered(right_run if earlier else 0, table, dice.randrange(PARTS), record)
        if earlier:
            yield Delivered(wrong_run, table, dice.randrange(PARTS), earlier(record))


def withdrawn(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Beside it the same story of others, taken back by the next run."""
    yield from whole(telling, dice)
    for table, record in _each(telling.told("v")):
        yield Delivered(0, table, 0, record)
        yield Delivered(1, table, 0, telling.dialect.withdrawn[table](record))


def renewed(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """With fields that nobody declared, in a file of its own and in one with others'."""
    for table, record in _each(telling.told()):
        part = dice.choice([0, PARTS])
        for written in records.renewed(record):
            yield Delivered(0, table, part, written)


@lru_cache
def hostile_texts() -> list[str]:
    """What should not be in a field: our own list, and the public one where it is there."""
    public = SHARED / "corpora" / "naughty-strings.json"
    return [*_HOSTILE, *(json.loads(public.read_text(encoding="utf-8")) if public.is_file() else [])]


def hostile(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Between its records those of others, each with one text that should not be there.

    Every field has one of them, and every one of them is in some field.
    """
    yield from whole(telling, dice)
    places = [
        (table, record, path)
        for table, record in _each(telling.told("v"))
        for path, _ in records.texts(record)
    ]
    found = hostile_texts()
    for number in range(max(len(places), len(found))):
        table, record, path = places[number % len(places)]
        text = found[number % len(found)]
        yield Delivered(0, table, 0, records.with_text(record, path, text))


def outlying(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Before and after it the same of others, in 1970 and in a hundred years."""
    yield from whole(telling, dice)
    for table, record in _each(telling.told("v")):
        yield Delivered(0, table, 0, records.at_epoch_zero(record))
        yield Delivered(0, table, 1, records.in_the_future(record))
        yield Delivered(1, table, 1, records.at_epoch_zero(record))


def damaged(telling: Telling, dice: random.Random) -> Iterator[Delivered]:
    """Some records are lost: what is left comes whole to a twin of the source, and in pieces to itself."""
    sizes = {table: len(found) for table, found in telling.told().items()}
    lost = {table: {*dice.sample(range(size), dice.randint(0, size // 3))} for table, size in sizes.items()}

    def left(source: str) -> Told:
        return {
            table: [record for index, record in enumerate(found) if index not in lost[table]]
            for table, found in telling.told(source=source).items()
        }

    yield from _in_pieces(left(telling.kind), dice)
    twin = telling.kind + TWIN
    for table, record in _each(left(twin)):
        yield Delivered(0, table, 0, record, twin)


ARRANGEMENTS: dict[str, Arrangement] = {
    "told": whole,
    "midnight": whole,
    "clock_changes": known_to_both,
    "twice": twice,
    "pieces": pieces,
    "damaged": damaged,
    "resumed": resumed,
    "late": late,
    "beginning_last": beginning_last,
    "streams_apart": apart,
    "corrected": corrected,
    "deleted": withdrawn,
    "unknown_fields": renewed,
    "hostile": hostile,
    "outlying_times": outlying,
}


def deliveries(telling: Telling) -> Iterator[Delivered]:
    """The records of a telling, each with the source it is for."""
    for delivered in ARRANGEMENTS[telling.demand](telling, random.Random(telling.dice)):
        yield delivered if delivered.source else replace(delivered, source=telling.kind)
