// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A stand-in for the ERC-8004 registries on a local chain: every function emits the events that the real one would,
/// with the arguments that it is given. It guards nothing and owns nothing, so a demo or a test can let anybody do
/// anything. Deploy it once for each registry.
contract Emitter {
    // identity
    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);
    event MetadataSet(
        uint256 indexed agentId, string indexed indexedMetadataKey, string metadataKey, bytes metadataValue
    );
    event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy);
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);
    event MetadataUpdate(uint256 tokenId);
    event BatchMetadataUpdate(uint256 fromTokenId, uint256 toTokenId);

    // reputation
    event NewFeedback(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        int128 value,
        uint8 valueDecimals,
        string indexed indexedTag1,
        string tag1,
        string tag2,
        string endpoint,
        string feedbackURI,
        bytes32 feedbackHash
    );
    event FeedbackRevoked(uint256 indexed agentId, address indexed clientAddress, uint64 indexed feedbackIndex);
    event ResponseAppended(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        address indexed responder,
        string responseURI,
        bytes32 responseHash
    );

    // validation
    event ValidationRequest(
        address indexed validatorAddress, uint256 indexed agentId, string requestURI, bytes32 indexed requestHash
    );
    event ValidationResponse(
        address indexed validatorAddress,
        uint256 indexed agentId,
        bytes32 indexed requestHash,
        uint8 response,
        string responseURI,
        bytes32 responseHash,
        string tag
    );

    // any
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    event Upgraded(address indexed implementation);
    event Initialized(uint64 version);

    uint256 public agents;
    mapping(uint256 agentId => mapping(address client => uint64)) public lastIndex;

    constructor() {
        emit Upgraded(address(this));
        emit OwnershipTransferred(address(0), msg.sender);
        emit Initialized(1);
    }

    /// Several calls of this contract in one transaction, all from the same sender.
    function many(bytes[] calldata calls) external {
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done,) = address(this).delegatecall(calls[i]);
            require(done, "a call failed");
        }
    }

    function register(string calldata agentURI) external returns (uint256 agentId) {
        agentId = agents++;
        emit Transfer(address(0), msg.sender, agentId);
        emit MetadataUpdate(agentId);
        emit Registered(agentId, agentURI, msg.sender);
        emit MetadataSet(agentId, "agentWallet", "agentWallet", abi.encodePacked(msg.sender));
    }

    function setAgentURI(uint256 agentId, string calldata newURI) external {
        emit MetadataUpdate(agentId);
        emit URIUpdated(agentId, newURI, msg.sender);
    }

    function setMetadata(uint256 agentId, string calldata key, bytes calldata value) external {
        emit MetadataSet(agentId, key, key, value);
    }

    function transferFrom(address from, address to, uint256 agentId) external {
        emit MetadataSet(agentId, "agentWallet", "agentWallet", "");
        emit Transfer(from, to, agentId);
    }

    function approve(address approved, uint256 agentId) external {
        emit Approval(msg.sender, approved, agentId);
    }

    function setApprovalForAll(address operator, bool approved) external {
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    function refreshMetadata(uint256 fromAgentId, uint256 toAgentId) external {
        emit BatchMetadataUpdate(fromAgentId, toAgentId);
    }

    function giveFeedback(
        uint256 agentId,
        int128 value,
        uint8 valueDecimals,
        string calldata tag1,
        string calldata tag2,
        string calldata endpoint,
        string calldata feedbackURI,
        bytes32 feedbackHash
    ) external {
        uint64 index = ++lastIndex[agentId][msg.sender];
        emit NewFeedback(
            agentId, msg.sender, index, value, valueDecimals, tag1, tag1, tag2, endpoint, feedbackURI, feedbackHash
        );
    }

    function revokeFeedback(uint256 agentId, uint64 feedbackIndex) external {
        emit FeedbackRevoked(agentId, msg.sender, feedbackIndex);
    }

    function appendResponse(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        string calldata responseURI,
        bytes32 responseHash
    ) external {
        emit ResponseAppended(agentId, clientAddress, feedbackIndex, msg.sender, responseURI, responseHash);
    }

    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    ) external {
        emit ValidationRequest(validatorAddress, agentId, requestURI, requestHash);
    }

    function validationResponse(
        uint256 agentId,
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external {
        emit ValidationResponse(msg.sender, agentId, requestHash, response, responseURI, responseHash, tag);
    }

    function transferOwnership(address newOwner) external {
        emit OwnershipTransferred(msg.sender, newOwner);
    }

    function upgrade(address implementation, uint64 version) external {
        emit Upgraded(implementation);
        emit Initialized(version);
    }

    /// Any log at all, with up to four topics: for what no layout knows.
    function raw(bytes32[] calldata topics, bytes calldata data) external {
        bytes memory copy = data;
        uint256 count = topics.length;
        assembly {
            let at := add(copy, 32)
            let size := mload(copy)
            let first := topics.offset
            switch count
            case 0 { log0(at, size) }
            case 1 { log1(at, size, calldataload(first)) }
            case 2 { log2(at, size, calldataload(first), calldataload(add(first, 32))) }
            case 3 {
                log3(at, size, calldataload(first), calldataload(add(first, 32)), calldataload(add(first, 64)))
            }
            case 4 {
                log4(
                    at,
                    size,
                    calldataload(first),
                    calldataload(add(first, 32)),
                    calldataload(add(first, 64)),
                    calldataload(add(first, 96))
                )
            }
            default { revert(0, 0) }
        }
    }
}
