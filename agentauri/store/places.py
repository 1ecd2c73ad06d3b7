"""SQL for the lane and destination of a delivery, which follow from its action and, for some, from its event's agent.

An action whose server each event's agent names ends its lane and destination with ``agent:*``; its deliveries have
``agent:<chain>:<agent>`` instead, so that caps, breakers and leases are an agent's own (protocol P22). Every statement
that copies a place from an action to a delivery, or compares the two, does it with these expressions.
"""

from agentauri.models.mcp_action import PER_AGENT

MAX_CHAIN_DIGITS = 20
MAX_AGENT_DIGITS = 80
"""Of 2^256 - 1 and a little more: other writers may store any text there."""


def is_per_agent(base: str) -> str:
    """SQL: whether ``base``, an action's lane or destination, stands for one of each agent."""
    return f"(right({base}, {len(PER_AGENT)}) = '{PER_AGENT}')"


def located(base: str, context: str) -> str:
    """SQL: the place of a delivery with ``context`` whose action has ``base``."""
    event = f"{context} -> 'event'"
    chain = f"left(coalesce({event} ->> 'chain_id', ''), {MAX_CHAIN_DIGITS})"
    agent = f"coalesce({event} ->> 'agent_id', {event} -> 'data' ->> 'agent_id', '')"
    of_agent = f"left({base}, -1) || {chain} || ':' || left({agent}, {MAX_AGENT_DIGITS})"
    return f"(CASE WHEN {is_per_agent(base)} THEN {of_agent} ELSE {base} END)"


def fits(base: str, place: str) -> str:
    """SQL: whether a delivery at ``place`` is where its action with ``base`` wants it; looks at no event."""
    return f"(CASE WHEN {is_per_agent(base)} THEN starts_with({place}, left({base}, -1)) ELSE {base} = {place} END)"


# all organizations: a part of statements that name the organization themselves
RELOCATED = f"""lane = {located("a.lane", "d.context")}, destination = {located("a.destination", "d.context")},
        channel = a.action_type"""
"""SQL of an UPDATE of deliveries AS d FROM trigger_actions AS a: to where the action sends now."""
