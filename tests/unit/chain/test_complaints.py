import pytest

from agentauri.chain.complaints import error_for
from agentauri.errors import RangeTooLarge, RpcError, RpcTimeout

TOO_LARGE = [
    (-32005, "query returned more than 10000 results"),
    (-32602, "Query returned more than 10000 results. Try with this block range [0x118dc91, 0x1198cc3]."),
    (-32602, "range 1000000 exceeds limit of 10000"),
    (-32602, "invalid params range 9009594 is bigger than range limit 2000"),
    (-32000, "block range is larger than max block range, block range = 5120, max block range = 5000"),
    (-32600, "You can make eth_getLogs requests with up to a 10 block range. Upgrade for expanded block range."),
    (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range"),
    (-32614, "eth_getLogs is limited to a 10,000 range"),
    (-32000, "block range is too wide"),
    (-32701, "exceed maximum block range: 50000"),
    (35, "ranges over 10000 blocks are not supported on freetier"),
    (-32000, "requested too many blocks from 0 to 10000, maximum is set to 2048"),
    (-32000, "query block range exceeds server limit, narrow your filter: 1000"),
    (-32000, "please limit the query to at most 1000 blocks"),
    (-32008, "Response is too big"),
    (-32000, "logs matched by query exceeds limit of 10000"),
    (-32000, "Requested range exceeds maximum RPC range limit"),
]
TIMED_OUT = [
    (-32000, "query timeout exceeded"),
    (-32002, "request timed out"),
    (-32603, "context deadline exceeded"),
]
RATE_LIMITED = [
    (-32005, "daily request count exceeded, request rate limited"),
    (429, "Your app has exceeded its compute units per second capacity."),
    (-32007, "15/second request limit reached"),
    (-32000, "Too Many Requests"),
]
OTHER = [
    (-32000, "block range extends beyond current head block"),
    (-32000, "requested block range is in the future"),
    (-32000, "One of the blocks specified in filter cannot be found: history has been pruned"),
    (-32601, "the method eth_getLogs does not exist"),
    (-32603, "Internal error"),
]


@pytest.mark.parametrize(("code", "message"), TOO_LARGE)
def test_wishes_for_a_smaller_range_are_recognised(code: int, message: str) -> None:
    assert type(error_for("node", "eth_getLogs", code, message)) is RangeTooLarge


@pytest.mark.parametrize(("code", "message"), TIMED_OUT)
def test_time_outs_are_recognised(code: int, message: str) -> None:
    assert type(error_for("node", "eth_getLogs", code, message)) is RpcTimeout


@pytest.mark.parametrize(("code", "message"), RATE_LIMITED + OTHER)
def test_other_errors_do_not_make_the_range_smaller(code: int, message: str) -> None:
    assert type(error_for("node", "eth_getLogs", code, message)) is RpcError


def test_only_logs_have_a_range() -> None:
    assert type(error_for("node", "eth_getBlockByNumber", -32000, "block range is too wide")) is RpcError


def test_the_error_names_provider_method_code_and_message() -> None:
    error = error_for("node:8545", "eth_chainId", -32603, "Internal error", 3.0)

    assert error.message == "node:8545 answered eth_chainId with error -32603: Internal error"
    assert (error.code, error.retry_after) == (-32603, 3.0)
