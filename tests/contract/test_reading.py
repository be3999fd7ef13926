"""One complete read of each vendor, judged from every side: all tasks, each as the world says, asked for with reads alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from connectors.base import Check, Connector, Context, Item
from connectors.records import KINDS, Container, ContainerKind, Identity, Project, Record, Ref, Section, Status, StatusCategory, Task, TaskKind
from hub.sandbox import seed, truth
from hub.sandbox.world import World
from tests.contract.judging import Judge
from tests.contract.reading import Notes, read_all, records
from tests.contract.stage import Staging
from tests.contract.vendor import Vendor, project, task

SIZE = 150


@dataclass(frozen=True, slots=True)
class Whole:
    """What one complete read brought, and what the vendor was asked."""

    vendor: Vendor
    world: World
    check: Check
    tree: dict[Ref, Record]
    notes: Notes
    records: dict[Ref, Record]
    puzzle: tuple[str, str]
    log: list[dict[str, Any]]
    other_calls: list[dict[str, Any]]
    again: Connector
    expected: dict[str, dict[str, Any]]

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.records.values() if isinstance(record, kind)]


async def read_whole(vendor: Vendor) -> Whole:
    world = seed.build(seed=8, tasks=SIZE)
    puzzle = vendor.puzzle(world)
    async with Staging(vendor.tool, world) as stage:
        connector = stage.connector()
        check = await connector.check()
        tree = {item.id: connector.map(item) for item in await connector.discover()}
        before = stage.sandbox.log.count
        notes = await read_all(connector)
        after = stage.sandbox.log.count
        expected = truth.expected_tasks(world, vendor.tool)
        await stage.connector().lookup([task(next(iter(expected))), project(vendor.closable(world))])
        rows = list(stage.sandbox.log.rows)
        log, others = rows[before:after], rows[:before] + rows[after:]
        return Whole(vendor, world, check, tree, notes, records(connector, notes), puzzle, log, others, stage.connector(), expected)


@pytest.fixture(scope="module")
def whole(vendor: Vendor) -> Whole:
    return anyio.run(read_whole, vendor)


def test_check_says_who_the_token_is_and_what_it_reaches(whole: Whole) -> None:
    me = whole.world.people[whole.vendor.tool][whole.world.me[whole.vendor.tool]]
    assert (whole.check.user_external_id, whole.check.user_name, whole.check.user_email) == (me.id, me.name, me.email)
    nodes = whole.world.nodes[whole.vendor.tool].values()
    assert {one.external_id: one.name for one in whole.check.workspaces} == {
        node.id: node.name for node in nodes if node.kind == "workspace" and not node.hidden and not node.deleted
    }
    assert whole.check.limits
    assert whole.check.missing == ()


def test_discover_shows_containers_and_projects_of_which_the_read_then_says_the_same(whole: Whole) -> None:
    assert whole.tree
    assert {type(record) for record in whole.tree.values()} == {Container, Project}
    assert whole.tree == {ref: whole.records[ref] for ref in whole.tree}


def test_a_full_read_brings_exactly_the_tasks_that_the_token_can_list(whole: Whole) -> None:
    assert len(whole.expected) == SIZE
    assert whole.notes.tasks() == whole.expected.keys()
    assert whole.notes.refused == {}


def test_every_task_says_what_the_world_says(whole: Whole) -> None:
    assert truth.differences(whole.expected, Judge(whole.records).rows()) == []


def test_every_project_says_what_the_world_says(whole: Whole) -> None:
    expected = truth.expected_projects(whole.world, whole.vendor.tool)
    held = {one.external_id: one for one in whole.of(Project)}
    assert held.keys() == expected.keys()
    sections: dict[Ref, list[Section]] = {}
    for section in whole.of(Section):
        sections.setdefault(section.project_id, []).append(section)
    for key, row in expected.items():
        found = held[key]
        assert (found.name, found.private) == (row["name"], row["private"])
        named = [section.name for section in sorted(sections.get(found.id, []), key=lambda one: one.position)]
        assert named == row["sections"]


def test_every_item_is_named_by_its_reference(whole: Whole) -> None:
    for ref, record in whole.records.items():
        kind, _, key = ref.partition(":")
        assert key
        assert type(record) is KINDS[kind]
        assert record.id == ref
        assert record.external_id


def test_what_a_task_refers_to_was_read_as_well(whole: Whole) -> None:
    """People may have left, and a predecessor or related task may lie out of sight; all else must be there."""
    for one in whole.of(Task):
        needed = [one.status_id, *(place.project_id for place in one.memberships), *(place.section_id for place in one.memberships)]
        needed += [place.status_id for place in one.memberships] + [value.field_id for value in one.custom_fields] + list(one.assignee_ids)
        assert [ref for ref in needed if ref is not None and ref not in whole.records] == []


def test_people_are_all_there_with_or_without_mail(whole: Whole) -> None:
    people = whole.world.people[whole.vendor.tool]
    held = {one.external_id: one for one in whole.of(Identity)}
    assert held.keys() == people.keys()
    for key, person in people.items():
        told = (held[key].name, held[key].email)
        assert told == (person.name, person.email) or (told == (None, None) and not person.active)  # a vendor may keep no name of who has left


def test_archived_and_completed_tasks_are_read_and_flagged(whole: Whole) -> None:
    rows = Judge(whole.records).rows().values()
    assert any(row["archived"] for row in rows)
    assert any(row["completed_at"] for row in rows)
    assert not all(row["archived"] for row in rows)


def test_subtasks_of_every_depth_are_read(whole: Whole) -> None:
    tasks = {one.id: one for one in whole.of(Task)}

    def depth(one: Task) -> int:
        return 0 if one.parent_id is None else 1 + depth(tasks[one.parent_id])

    depths = Counter(depth(one) for one in tasks.values())
    assert min(depths[level] for level in range(3)) > 0


def test_milestones_are_milestones(whole: Whole) -> None:
    wanted = {key for key, row in whole.expected.items() if row["kind"] == "milestone"}
    assert wanted
    assert {one.external_id for one in whole.of(Task) if one.kind is TaskKind.MILESTONE} == wanted


def test_a_task_in_several_projects_is_one_task_with_all_of_them(whole: Whole) -> None:
    shared = {key: row["projects"] for key, row in whole.expected.items() if len(row["projects"]) > 1}
    assert bool(shared) is whole.vendor.several_homes
    held = {one.external_id: [place.project_id.partition(":")[2] for place in one.memberships] for one in whole.of(Task)}
    assert {key: sorted(held[key]) for key in shared} == shared


def test_a_status_that_means_nothing_keeps_its_word_and_stays_unknown(whole: Whole) -> None:
    key, word = whole.puzzle
    held = whole.records[task(key)]
    assert isinstance(held, Task)
    status = whole.records[held.status_id or ""]
    assert isinstance(status, Status)
    assert (held.status, status.name, status.category) == (word, word, StatusCategory.UNKNOWN)


def test_titles_of_every_script_come_through(whole: Whole) -> None:
    strange = {key: row["title"] for key, row in whole.expected.items() if not row["title"].isascii()}
    assert any(ord(letter) > 0xFFFF for title in strange.values() for letter in title)
    assert {key: whole.records[task(key)].title for key in strange} == strange  # type: ignore[union-attr]  # tasks all


def test_the_tree_hangs_together(whole: Whole) -> None:
    for container in whole.of(Container):
        assert container.parent_id is None or isinstance(whole.records[container.parent_id], Container)
        assert (container.parent_id is None) is (container.kind is ContainerKind.WORKSPACE)
    for one in whole.of(Project):
        assert isinstance(whole.records[one.container_id or ""], Container)


def test_nothing_but_reads_was_sent(whole: Whole) -> None:
    assert whole.log
    assert whole.other_calls
    assert [row for row in whole.log + whole.other_calls if whole.vendor.writes(row)] == []


def test_only_what_the_vendor_declares_was_asked_for(whole: Whole) -> None:
    assert sorted({thing for row in whole.log + whole.other_calls for thing in whole.vendor.undeclared(row)}) == []


def test_nothing_was_asked_twice(whole: Whole) -> None:
    lines = Counter((row["method"], row["path"], row["query"], row["body"]) for row in whole.log)
    assert [line for line, count in lines.items() if count > 1] == []


def test_stored_bodies_map_to_the_same_records_without_the_vendor(whole: Whole) -> None:
    """A new mapping version is applied to what is stored: the raw body and, for its context, the owner's raw body, both through JSON."""
    stored: dict[Ref, Any] = {ref: json.loads(json.dumps(whole.again.lean(item))) for ref, item in whole.notes.items.items()}
    for ref, item in whole.notes.items.items():
        context = replayed(whole.again, item, stored)
        assert (context.version if context else None) == (item.context.version if item.context else None)
        assert whole.again.map(Item(ref, stored[ref], context, item.owner)) == whole.records[ref]


def replayed(connector: Connector, item: Item, stored: dict[Ref, Any]) -> Context | None:
    if item.owner is not None:
        return connector.context(stored[item.owner])
    return connector.context(None) if item.context is not None else None
