"""What is asked for: one constant field list per kind. The vendor charges for every link walked, so a field that is not stored is not asked for.

A nested object named without sub-fields comes without its name, hence the dotted paths; gids come unasked at every level. The vendor ignores unknown
names in silence, so a typing error here loses data without an error.
"""

from __future__ import annotations

ME = "name,email,workspaces.name,workspaces.is_organization"

WORKSPACE = "name,is_organization"

USER = "name,email"

TEAM = "name,visibility"

SECTION = "name"

FIELD = "name,resource_subtype,representation_type,currency_code,enum_options.name,enum_options.color"

EVENT = "action,created_at,user.gid,resource.resource_type"

WEBHOOK = "active,target,resource.resource_type"

PARENTS = "parent.gid,memberships.project.gid"

STAMP = "modified_at"

PROJECT = ",".join(
    (
        "name,notes,archived,completed,completed_at,created_at,modified_at,start_on,due_on,privacy_setting,permalink_url",
        "owner.gid,team.name,team.visibility,workspace.gid",
        "current_status_update.title,current_status_update.status_type",
    )
)

TASK = ",".join(
    (
        "name,notes,resource_subtype,completed,completed_at,created_at,modified_at,start_on,start_at,due_on,due_at,actual_time_minutes,permalink_url",
        "created_by.gid,assignee.name,assignee.email,parent.gid,num_subtasks,is_rendered_as_separator,dependencies.gid,tags.name",
        "memberships.project.gid,memberships.section.name",
        "custom_fields.name,custom_fields.resource_subtype,custom_fields.representation_type,custom_fields.currency_code,custom_fields.display_value",
        "custom_fields.text_value,custom_fields.number_value,custom_fields.enum_value.name,custom_fields.multi_enum_values.name",
        "custom_fields.date_value.date,custom_fields.date_value.date_time,custom_fields.people_value.gid",
        # Named whole: a reference may be a task, a project, a portfolio or a goal, and only resource_type tells which.
        "custom_fields.reference_value",
    )
)
