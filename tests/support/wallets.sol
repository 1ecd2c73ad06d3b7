// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A wallet with one owner, as small as EIP-1271 lets it be: it reverts on signatures of another length, as many do.
contract OwnedWallet {
    address immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        require(signature.length == 65, "length");
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        address signer = ecrecover(hash, uint8(signature[64]), r, s);
        return signer != address(0) && signer == owner ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// Deploys wallets at addresses that are known before (CREATE2): what EIP-6492 signatures name.
contract WalletFactory {
    event Deployed(address wallet);

    function deploy(address owner, bytes32 salt) external returns (address wallet) {
        wallet = address(new OwnedWallet{salt: salt}(owner));
        emit Deployed(wallet);
    }

    function addressOf(address owner, bytes32 salt) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(OwnedWallet).creationCode, abi.encode(owner)));
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, code)))));
    }
}

/// Answers everything with what it was asked, as the identity precompile does: the first four bytes look like a yes.
contract EchoWallet {
    fallback(bytes calldata question) external returns (bytes memory) {
        return question;
    }
}

/// Uses up all gas that it gets.
contract EndlessWallet {
    fallback() external {
        while (true) {}
    }
}
