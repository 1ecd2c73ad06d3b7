"""Contract wallets on a real node: what they accept is a yes, and nothing else is, whatever their code does."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentauri.accounts.wallets import message_hash
from agentauri.chain import contract_wallets
from agentauri.chain.contract_wallets import ContractWallets
from agentauri.chain.erc1271 import WRAPPED_END, Verdict
from agentauri.demo import emitter_build
from agentauri.demo.anvil import CHAIN_ID, Anvil
from agentauri.errors import RpcUnavailable
from tests.support.fake_chain import FakeChain, FakeNode, Refuse, serving
from tests.support.wallets import OWNER, STRANGER, counterfactual, deploy, deploy_owned, send, sign
from tools.contracts import artifacts

MESSAGE = "agentauri.example wants you to sign in"
HASH = message_hash(MESSAGE)
DEAD = "http://127.0.0.1:1"


@pytest.fixture
async def wallets(anvil: Anvil) -> AsyncIterator[ContractWallets]:
    made = ContractWallets({CHAIN_ID: [anvil.url]})
    yield made
    await made.close()


async def ask(wallets: ContractWallets, address: str, signature: bytes, hash: bytes = HASH) -> Verdict:
    check = wallets.checker(CHAIN_ID)
    assert check is not None
    return await check(address, hash, signature)


async def test_a_deployed_wallet_says_whether_it_accepts(anvil: Anvil, wallets: ContractWallets) -> None:
    wallet = await deploy_owned(anvil)
    assert await ask(wallets, wallet, sign(MESSAGE)) is Verdict.VALID
    assert await ask(wallets, wallet, sign(MESSAGE, STRANGER)) is Verdict.INVALID
    assert await ask(wallets, wallet, sign(MESSAGE), message_hash("another")) is Verdict.INVALID
    assert await ask(wallets, wallet, b"the wallet reverts on this length") is Verdict.INVALID


async def test_a_counterfactual_wallet_is_asked_without_being_deployed(anvil: Anvil, wallets: ContractWallets) -> None:
    wallet = await counterfactual(anvil)
    assert await ask(wallets, wallet.address, wallet.wrap(sign(MESSAGE))) is Verdict.VALID
    assert await ask(wallets, wallet.address, wallet.wrap(sign(MESSAGE, STRANGER))) is Verdict.INVALID
    assert await ask(wallets, wallet.address, wallet.wrap(sign(MESSAGE)), message_hash("another")) is Verdict.INVALID
    assert await ask(wallets, wallet.address, sign(MESSAGE)) is Verdict.NO_CONTRACT
    assert anvil.call("eth_getCode", wallet.address, "latest") == "0x"


async def test_another_address_than_the_factory_deploys_is_not_believed(anvil: Anvil, wallets: ContractWallets) -> None:
    wallet, victim = await counterfactual(anvil), await deploy_owned(anvil, STRANGER.address)
    assert await ask(wallets, victim, wallet.wrap(sign(MESSAGE))) is Verdict.INVALID
    assert await ask(wallets, OWNER.address, wallet.wrap(sign(MESSAGE))) is Verdict.INVALID


async def test_a_wrapped_signature_stays_good_once_the_wallet_is_deployed(
    anvil: Anvil, wallets: ContractWallets
) -> None:
    wallet = await counterfactual(anvil)
    await send(anvil, wallet.deployment, to=wallet.factory)
    assert await ask(wallets, wallet.address, wallet.wrap(sign(MESSAGE))) is Verdict.VALID
    assert await ask(wallets, wallet.address, sign(MESSAGE)) is Verdict.VALID
    assert await ask(wallets, wallet.address, wallet.wrap(sign(MESSAGE, STRANGER))) is Verdict.INVALID


async def test_a_malformed_wrapper_is_refused(wallets: ContractWallets) -> None:
    assert await ask(wallets, OWNER.address, b"\xff" * 96 + WRAPPED_END) is Verdict.INVALID
    assert await ask(wallets, OWNER.address, WRAPPED_END) is Verdict.INVALID


IDENTITY_PRECOMPILE = "0x" + "0" * 39 + "4"


async def test_an_echo_of_the_question_is_no_yes(anvil: Anvil, wallets: ContractWallets) -> None:
    echo, wallet = await deploy(anvil, "EchoWallet"), await counterfactual(anvil)
    for address in (echo, IDENTITY_PRECOMPILE):
        assert await ask(wallets, address, sign(MESSAGE)) is not Verdict.VALID
        assert await ask(wallets, address, wallet.wrap(sign(MESSAGE))) is Verdict.INVALID


async def test_a_wallet_that_never_ends_is_a_no(anvil: Anvil, wallets: ContractWallets) -> None:
    endless, wallet = await deploy(anvil, "EndlessWallet"), await counterfactual(anvil)
    assert await ask(wallets, endless, sign(MESSAGE)) is Verdict.INVALID
    assert await ask(wallets, endless, wallet.wrap(sign(MESSAGE))) is Verdict.INVALID


async def test_the_next_provider_is_asked_when_one_is_dead_or_serves_another_chain(anvil: Anvil) -> None:
    wallet = await deploy_owned(anvil)
    async with serving(FakeNode(FakeChain(), chain_id=1)) as (wrong,):
        several = ContractWallets({CHAIN_ID: [DEAD, wrong.url, anvil.url]})
        assert await ask(several, wallet, sign(MESSAGE)) is Verdict.VALID
        assert wrong.asked == ["eth_chainId"]
        await several.close()


async def test_a_chain_without_a_provider_has_nobody_to_ask() -> None:
    wallets = ContractWallets({1: ["http://127.0.0.1:1"], 2: []})
    assert wallets.checker(31337) is None
    assert wallets.checker(2) is None
    await wallets.close()


async def test_no_answer_is_an_error_that_holds_nothing_against_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_wallets, "CHECK_SECONDS", 0.2)
    node = FakeNode(FakeChain(), hang=True)
    async with serving(node):
        wallets = ContractWallets({CHAIN_ID: [node.url]})
        with pytest.raises(RpcUnavailable, match="no answer within"):
            await ask(wallets, OWNER.address, sign(MESSAGE))
        node.hang = False
        node.twist["eth_getCode"] = lambda _parameters, _right: "0x60"
        node.twist["eth_call"] = lambda _parameters, _right: "0x"
        monkeypatch.setattr(contract_wallets, "CHECK_SECONDS", 5.0)
        assert await ask(wallets, OWNER.address, sign(MESSAGE)) is Verdict.INVALID
        await wallets.close()


REFUSALS = [
    (Refuse(3, "execution reverted"), True),
    (Refuse(-32000, "execution reverted: length"), True),
    (Refuse(-32015, "VM execution error."), True),
    (Refuse(-32000, "out of gas"), True),
    (Refuse(-32003, "EVM error OutOfGas"), True),
    (Refuse(-32000, "invalid opcode: INVALID"), True),
    (Refuse(-32005, "rate limit exceeded"), False),
    (Refuse(-32601, "the method eth_call does not exist"), False),
    (Refuse(-32000, "header not found"), False),
]


@pytest.mark.parametrize(("refusal", "by_the_code"), REFUSALS)
async def test_a_failure_of_the_code_is_a_no_and_one_of_the_node_an_error(refusal: Refuse, by_the_code: bool) -> None:
    def refuse(_parameters: object, _right: object) -> None:
        raise refusal

    node = FakeNode(FakeChain(), twist={"eth_getCode": lambda _parameters, _right: "0x60", "eth_call": refuse})
    async with serving(node):
        wallets = ContractWallets({CHAIN_ID: [node.url]})
        if by_the_code:
            assert await ask(wallets, OWNER.address, sign(MESSAGE)) is Verdict.INVALID
        else:
            with pytest.raises(RpcUnavailable):
                await ask(wallets, OWNER.address, sign(MESSAGE))
        await wallets.close()


@pytest.mark.parametrize("answer", [None, 5, "yes", "0xzz", {"a": 1}])
async def test_nonsense_of_a_node_is_an_error(answer: object) -> None:
    node = FakeNode(FakeChain(), twist={"eth_getCode": lambda _parameters, _right: answer})
    async with serving(node):
        wallets = ContractWallets({CHAIN_ID: [node.url]})
        with pytest.raises(RpcUnavailable):
            await ask(wallets, OWNER.address, sign(MESSAGE))
        await wallets.close()


def test_the_artifacts_are_what_the_sources_compile_to() -> None:
    if not shutil.which("node") or not emitter_build.COMPILER.exists():
        pytest.skip("no Solidity compiler here; run make install with npm present")
    for file, made in artifacts().items():
        assert json.loads(Path(file).read_text("utf-8")) == made
