// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface Wallet {
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4);
}

/// Asks a wallet whether it accepts a signature (EIP-1271), and if it does not, or is not there yet, calls its factory
/// and asks again (EIP-6492). It is run by eth_call as a creation that is never mined; what it "deploys" is its answer:
/// the word that a wallet answers for yes, or zero. What the wallet and the factory do cannot make it revert.
contract WalletCheck {
    constructor(address wallet, bytes32 hash, address factory, bytes memory factoryData, bytes memory signature) {
        bool valid = accepts(wallet, hash, signature);
        if (!valid) {
            (bool called,) = factory.call(factoryData);
            valid = called && accepts(wallet, hash, signature);
        }
        bytes32 answer = valid ? bytes32(Wallet.isValidSignature.selector) : bytes32(0);
        assembly {
            mstore(0, answer)
            return(0, 32)
        }
    }

    /// The answer counts if a contract gave it and its first word is exactly the one for yes; the rest is not copied.
    function accepts(address wallet, bytes32 hash, bytes memory signature) private view returns (bool) {
        if (wallet.code.length == 0) return false;
        bytes memory question = abi.encodeCall(Wallet.isValidSignature, (hash, signature));
        bool called;
        uint256 size;
        bytes32 answer;
        assembly {
            called := staticcall(gas(), wallet, add(question, 32), mload(question), 0, 32)
            size := returndatasize()
            answer := mload(0)
        }
        return called && size >= 32 && answer == bytes32(Wallet.isValidSignature.selector);
    }
}
