// A real client library (oauth4webapi) that comes to an authorization server by the address of a proxy.
// usage: node behind-proxy.mjs ADDRESS REASON TO_DO
// Prints one JSON line as mistake.mjs says.
import { discoverAt, mistake } from './mistake.mjs';

const [address, reason, toDo] = process.argv.slice(2);
await mistake('the address of a proxy', reason, toDo, () => discoverAt(address));
