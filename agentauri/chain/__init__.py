"""ERC-8004 on EVM chains: registries, decoding of logs, JSON-RPC with failover, ranges that are whole."""
