// A receiver of AgentAuri's webhooks: verifies, answers at once, recognises repeats.
//
//     WEBHOOK_SECRET=whsec_… node receiver.ts 9900     (Node 22.18 or newer; older ones after tsc)
//
// Nothing beside Node is needed.

import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";

const TOLERANCE_SECONDS = 300;
const ED25519_DER = Buffer.from("302a300506032b6570032100", "hex"); // what Node wants before a raw public key

/** Whether one of the signatures is ours, over exactly these bytes, and not older than five minutes. */
export function isGenuine(secret: string, headers: IncomingHttpHeaders, body: Buffer): boolean {
  const id = String(headers["webhook-id"] ?? "");
  const stamp = String(headers["webhook-timestamp"] ?? "");
  const age = Math.abs(Date.now() / 1000 - Number(stamp));
  if (!id || !/^\d+$/.test(stamp) || age > TOLERANCE_SECONDS) return false;
  const signed = Buffer.concat([Buffer.from(`${id}.${stamp}.`), body]);
  const key = Buffer.from(secret.slice(secret.indexOf("_") + 1), "base64");
  const given = String(headers["webhook-signature"] ?? "").split(" ");
  return given.some((one) => {
    const [version, text] = one.split(",");
    const signature = Buffer.from(text ?? "", "base64");
    if (secret.startsWith("whpk_")) {
      const publicKey = createPublicKey({ key: Buffer.concat([ED25519_DER, key]), format: "der", type: "spki" });
      return version === "v1a" && verify(null, signed, publicKey, signature);
    }
    const wanted = createHmac("sha256", key).update(signed).digest();
    return version === "v1" && wanted.length === signature.length && timingSafeEqual(wanted, signature);
  });
}

const seen = new Set<string>(); // in a real receiver: a unique column in your database

createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    if (!isGenuine(process.env.WEBHOOK_SECRET ?? "", request.headers, body)) {
      response.writeHead(401).end();
      return;
    }
    response.writeHead(204).end(); // whatever takes long comes after the answer
    const id = String(request.headers["webhook-id"]);
    if (!seen.has(id)) {
      seen.add(id);
      console.log(JSON.parse(body.toString()).type);
    }
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
