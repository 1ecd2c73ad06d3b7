// What a wallet in a browser does, for tests (viem.py): one function a call, JSON in and out.
import { readFileSync } from 'node:fs'
import { createPublicClient, http, serializeErc6492Signature, verifyMessage } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { createSiweMessage, parseSiweMessage, validateSiweMessage } from 'viem/siwe'

const functions = {
  account() {
    const key = generatePrivateKey()
    return { key, address: privateKeyToAccount(key).address }
  },

  async sign({ key, message }) {
    return privateKeyToAccount(key).signMessage({ message })
  },

  // The text as viem reads it, as viem would write it from these fields, and whether it is valid for this page.
  read({ message, domain, nonce, address }) {
    const fields = parseSiweMessage(message)
    return { fields, written: createSiweMessage(fields), valid: validateSiweMessage({ message: fields, domain, nonce, address }) }
  },

  verify({ address, message, signature }) {
    return verifyMessage({ address, message, signature })
  },

  wrap({ factory, deployment, signature }) {
    return serializeErc6492Signature({ address: factory, data: deployment, signature })
  },

  // What viem's own universal validator says of a contract wallet's signature.
  verifyOnChain({ url, address, message, signature }) {
    return createPublicClient({ transport: http(url) }).verifyMessage({ address, message, signature })
  },
}

const answer = await functions[process.argv[2]](JSON.parse(readFileSync(0, 'utf8')))
process.stdout.write(JSON.stringify(answer))
