"""JSON for programs, under ``/api/v1``: one router per resource, its shapes beside it.

Answers are serialised straight from plain rows; the shapes (pydantic) are the published contract, and a test holds real answers against them. To
validate every answer on its way out would cost more than to make it.
"""
