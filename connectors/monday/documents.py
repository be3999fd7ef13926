"""The GraphQL texts, and what each will be charged.

Only fields that become part of a record are asked. ``text`` is asked only where it is the value itself: elsewhere it is a localised display which
would put people's names into stored bodies. ``value`` is asked where the typed fields lack something: when a status changed, and a date's UTC time.

Charges follow the published figures: a scalar costs 1, an object or list 10 plus n times its children, n being the number of ``ids``, else ``limit``,
else the default (1 for ``column_values``, ``columns`` and ``groups``). ``complexity`` itself is free, so every document asks it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

API_VERSION = "2026-10"
ITEM_PAGE = 500
ID_PAGE = 100

ITEM_POINTS = 140
"""One item with the fragments below, rounded up: 7 scalars, group and parent 11 each, column values
108 (37 leaves, five lists of 12 or 13, and 10)."""
SHAPE_POINTS = 30
STRUCTURE_POINTS = 160_000
SMALL_POINTS = 6_000

POLL_PAGES = ((250, 100), (100, 40), (50, 20), (25, 10))
"""Entries of a log (asked twice) and changed items that a poll asks of every board: the fewer boards, the more. The last pair lets 500 boards fit
into the smallest budget of a minute."""
LOGS_AT_ONCE, LOG_KEPT = 1_000, 10_000
"""Entries asked at once where a poll's were not enough, and the most that a board's log holds."""

LISTS = ("workspaces", "folders", "users", "boards")
"""The lists that are asked page by page, all in one document a round."""

_COMPLEXITY = "complexity { query after reset_in_x_seconds }"
_HIERARCHIES = "state: all, hierarchy_types: [classic, multi_level]"
_COLUMNS = "columns { id title type archived settings }"
_GROUPS = "groups { id title color position archived deleted }"
_DEEP = 'hierarchy_scope_config: "{\\"scope\\":\\"allItems\\"}"'
"""Items below the top level of a multi-level board are listed with this only."""

_BOARD = "id name description state board_kind type hierarchy_type url items_count created_at updated_at workspace_id board_folder_id owners { id }"
_LIST_TEXTS = {
    "workspaces": "workspaces(limit: 500, page: %s, state: all) { id name kind state }",
    "folders": "folders(limit: 500, page: %s) { id name parent { id } workspace { id } }",
    "users": "users(limit: 1000, page: %s, status: [ACTIVE, INACTIVE, PENDING]) { id name email kind status is_deleted }",
    "boards": f"boards(limit: 500, page: %s, {_HIERARCHIES}, order_by: created_at)",
}

_VALUE = """fragment V on ColumnValue { id
  ... on StatusValue { index label is_done value }
  ... on BatteryValue { battery_value { key count } }
  ... on DateValue { date time value }
  ... on TimelineValue { from to visualization_type value }
  ... on WeekValue { start_date end_date }
  ... on PeopleValue { persons_and_teams { id kind } }
  ... on TeamValue { team_id }
  ... on DependencyValue { linked_item_ids dependency_links { linked_item_id dependency_type lag } }
  ... on BoardRelationValue { linked_item_ids }
  ... on MirrorValue { display_value }
  ... on FormulaValue { display_value }
  ... on TagsValue { tags { id name } }
  ... on DropdownValue { values { id label } }
  ... on NumbersValue { number }
  ... on RatingValue { rating }
  ... on VoteValue { vote_count }
  ... on CheckboxValue { checked }
  ... on TimeTrackingValue { duration }
  ... on LinkValue { url }
  ... on EmailValue { email }
  ... on PhoneValue { phone }
  ... on ItemIdValue { item_id }
  ... on ColorPickerValue { color }
  ... on TextValue { text }
  ... on LongTextValue { text }
  ... on CountryValue { text }
  ... on HourValue { text }
  ... on LocationValue { text }
  ... on WorldClockValue { text }
  ... on ProgressValue { text }
  ... on UnsupportedValue { text } }"""

_ITEM = "id name state created_at updated_at creator_id url group { id }"
_LISTED = f"fragment I on Item {{ {_ITEM} parent_item {{ id }} column_values(ids: $cols) {{ ...V }} }}\n{_VALUE}"
_FOLLOWED = f"fragment I on Item {{ {_ITEM} parent_item {{ id }} column_values {{ ...V }} }}\n{_VALUE}"
_BRIEF = "fragment S on Item { id updated_at }"
_LOGGED = "fragment L on ActivityLogType { id event entity data user_id created_at }"
_BY_ID = f"fragment I on Item {{ {_ITEM} board {{ id }} parent_item {{ id board {{ id }} }} column_values {{ ...V }} }}\n{_VALUE}"

CHECK = f"""query Check {{ {_COMPLEXITY} version {{ value }} me {{ id name email }} account {{ id name tier }}
  workspaces(limit: 500, state: all) {{ id name kind state }} users(limit: 1) {{ id }} boards(limit: 1) {{ id }} }}"""

ITEMS_BY_ID = f"""query ItemsById($ids: [ID!]) {{ {_COMPLEXITY} items(ids: $ids, limit: {ID_PAGE}, exclude_nonactive: false) {{ ...I }} }}
{_BY_ID}"""

BOARDS_BY_ID = f"""query BoardsById($ids: [ID!], $n: Int!) {{ {_COMPLEXITY}
  boards(ids: $ids, limit: $n, {_HIERARCHIES}) {{ {_BOARD} {_COLUMNS} }} }}"""


def structure(lists: Collection[str], *, full: bool, teams: bool, newest: bool = False) -> str:
    """One round of the structure: the same two pages of every list that is still open, so that a list that fits on one shows its empty page at once.

    ``full``: with groups and columns; without, only what a tree shows. ``newest``: with each board's last log entry, from which the log is followed.
    """
    inside = f"{_BOARD} {_COLUMNS} {_GROUPS}" if full else f"{_BOARD} {_COLUMNS}"
    if newest:
        inside += " activity_logs(limit: 1) { id created_at }"
    parts = []
    for name in (name for name in LISTS if name in lists):
        text = f"{_LIST_TEXTS[name]} {{ {inside} }}" if name == "boards" else _LIST_TEXTS[name]
        parts += [text % "$page", f"{name}_after: {text % '$after'}"]
    if teams:
        parts.append("teams { id name users { id } }")
    return f"query Structure($page: Int!, $after: Int!) {{ {_COMPLEXITY}\n  " + "\n  ".join(parts) + " }"


def poll_points(briefs: Iterable[bool], sizes: tuple[int, int]) -> int:
    """What a poll is charged, a little high. ``briefs``: of each board, whether its items come in brief."""
    entries, items = sizes
    return sum(60 + 2 * (10 + 6 * entries) + items * (5 if brief else ITEM_POINTS) for brief in briefs)


def poll(groups: Sequence[tuple[bool, bool]], sizes: tuple[int, int]) -> str:
    """What changed on many boards: one aliased ``boards`` field for each (multi-level, brief) pair, ids in ``$i0``, ``$i1`` ...; newest first.

    Two pages of each log, since only an empty one proves its end. ``brief``: items without their columns, for boards whose formulas must be asked in
    batches. All columns are asked by their absence: a list of those of 500 boards would be longer than the answer.
    """
    variables = "".join(f", $i{n}: [ID!]" for n in range(len(groups)))
    entries, items = sizes
    fields = []
    for n, (deep, brief) in enumerate(groups):
        logs = f"activity_logs(from: $since, limit: {entries}) {{ ...L }} more: activity_logs(from: $since, limit: {entries}, page: 2) {{ ...L }}"
        scope = f", {_DEEP}" if deep else ""
        page = f"items_page(limit: {items}, query_params: $changed{scope}) {{ cursor items {{ ...{'S' if brief else 'I'} }} }}"
        fields.append(f"p{n}: boards(ids: $i{n}, limit: 500, {_HIERARCHIES}) {{ id state {logs} {page} }}")
    texts = [_LOGGED, *([_BRIEF] if any(brief for _, brief in groups) else []), *([] if all(brief for _, brief in groups) else [_FOLLOWED])]
    head = f"query Poll($since: ISO8601DateTime, $changed: ItemsQuery{variables})"
    return f"{head} {{ {_COMPLEXITY}\n  " + "\n  ".join(fields) + " }\n" + "\n".join(texts)


def further(briefs: Sequence[bool]) -> str:
    """The next page of changed items of some boards, cursors in ``$c0``, ``$c1`` ..."""
    variables = ", ".join(f"$c{n}: String!" for n in range(len(briefs)))
    fields = [
        f"n{n}: next_items_page(limit: {ITEM_PAGE}, cursor: $c{n}) {{ cursor items {{ ...{'S' if brief else 'I'} }} }}"
        for n, brief in enumerate(briefs)
    ]
    texts = [*([_BRIEF] if any(briefs) else []), *([] if all(briefs) else [_FOLLOWED])]
    return f"query Further({variables}) {{ {_COMPLEXITY}\n  " + "\n  ".join(fields) + " }\n" + "\n".join(texts)


LOGS = f"""query Logs($ids: [ID!], $since: ISO8601DateTime, $page: Int!, $after: Int!) {{ {_COMPLEXITY}
  boards(ids: $ids, limit: 500, {_HIERARCHIES}) {{ id
    activity_logs(from: $since, limit: {LOGS_AT_ONCE}, page: $page) {{ ...L }}
    more: activity_logs(from: $since, limit: {LOGS_AT_ONCE}, page: $after) {{ ...L }} }} }}
{_LOGGED}"""

BELOW = f"""query Below($ids: [ID!]) {{ {_COMPLEXITY} items(ids: $ids, limit: {ID_PAGE}, exclude_nonactive: false) {{ id
  subitems {{ id subitems {{ id subitems {{ id subitems {{ id }} }} }} }} }} }}"""
"""Those below some items of a multi-level board, which has five levels. ``state`` is not asked: below ``subitems`` it breaks the whole answer."""

CHANGED_ITEMS = f"""query Changed($ids: [ID!], $cols: [String!]) {{ {_COMPLEXITY}
  items(ids: $ids, limit: {ID_PAGE}, exclude_nonactive: false) {{ ...I }} }}
fragment I on Item {{ {_ITEM} board {{ id }} parent_item {{ id board {{ id }} }} column_values(ids: $cols) {{ ...V }} }}
{_VALUE}"""

BOARDS_WHOLE = f"""query BoardsWhole($ids: [ID!], $n: Int!) {{ {_COMPLEXITY}
  boards(ids: $ids, limit: $n, {_HIERARCHIES}) {{ {_BOARD} {_COLUMNS} {_GROUPS} }} }}"""

STATES = f"query States($ids: [ID!], $n: Int!) {{ {_COMPLEXITY} boards(ids: $ids, limit: $n, {_HIERARCHIES}) {{ id state }} }}"


def first_pages(groups: Sequence[tuple[int, bool]], *, shapes: bool) -> str:
    """The first page of many boards: one aliased ``boards`` field for each (limit, multi-level) pair, ids in ``$i0``, ``$i1`` ...

    ``state: all`` and the hierarchy types are needed beside ids too, else archived and multi-level boards are
    left out; so is ``limit``, whose default is 25.
    """
    variables = "".join(f", $i{n}: [ID!]" for n in range(len(groups)))
    pages = [f"items_page(limit: {limit}{', ' + _DEEP if deep else ''}) {{ cursor items {{ ...I }} }}" for limit, deep in groups]
    fields = "\n  ".join(f"g{n}: boards(ids: $i{n}, limit: 100, {_HIERARCHIES}) {{ id {page} }}" for n, page in enumerate(pages))
    return f"query First($cols: [String!]{variables}{_shapes_variable(shapes)}) {{ {_COMPLEXITY}\n  {fields}{_shapes_field(shapes)} }}\n{_LISTED}"


def next_pages(count: int, *, shapes: bool) -> str:
    """The next page of ``count`` boards, cursors in ``$c0``, ``$c1`` ..., aliased ``n0``, ``n1`` ..."""
    variables = "".join(f", $c{n}: String!" for n in range(count))
    fields = "\n  ".join(f"n{n}: next_items_page(limit: {ITEM_PAGE}, cursor: $c{n}) {{ cursor items {{ ...I }} }}" for n in range(count))
    return f"query Next($cols: [String!]{variables}{_shapes_variable(shapes)}) {{ {_COMPLEXITY}\n  {fields}{_shapes_field(shapes)} }}\n{_LISTED}"


def _shapes_variable(shapes: bool) -> str:
    return ", $shapes: [ID!]" if shapes else ""


def _shapes_field(shapes: bool) -> str:
    """The columns of the same boards, for a process that did not read the structure itself."""
    return f"\n  shapes: boards(ids: $shapes, limit: 100, {_HIERARCHIES}) {{ id hierarchy_type {_COLUMNS} }}" if shapes else ""


def page_points(limits: Iterable[int]) -> int:
    """What a request with these page sizes is charged, a little high."""
    return sum(40 + limit * ITEM_POINTS for limit in limits) + 100 * SHAPE_POINTS


CREATE_WEBHOOK = """mutation CreateWebhook($board: ID!, $url: String!, $event: WebhookEventType!) {
  create_webhook(board_id: $board, url: $url, event: $event) { id board_id event } }"""

DELETE_WEBHOOK = "mutation DeleteWebhook($id: ID!) { delete_webhook(id: $id) { id } }"

MUTATION_POINTS = 10_000


def webhooks(count: int) -> str:
    """The webhooks of ``count`` boards, ids in ``$b0``, ``$b1`` ..., aliased ``w0``, ``w1`` ..."""
    variables = ", ".join(f"$b{n}: ID!" for n in range(count))
    fields = "\n  ".join(f"w{n}: webhooks(board_id: $b{n}) {{ id board_id event }}" for n in range(count))
    return f"query Webhooks({variables}) {{ {_COMPLEXITY}\n  {fields} }}"
