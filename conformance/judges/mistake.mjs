// One mistake that a client makes: what it is called here, and what its library got to read.
import * as oauth from 'oauth4webapi';

/**
 * Runs one mistake and prints one JSON line, {"mistake","reason","to_do","answer"}: the reason that `keystile doctor` must give, and what
 * the client got to read, with words of what to do and a reference in it.
 */
export async function mistake(name, reason, toDo, make) {
  let answer;
  try {
    await make();
    answer = 'it was accepted';
  } catch (error) {
    // The error response itself; the library keeps descriptions in the words of the server. Of one with a challenge (401) it reads no body.
    const unread = error.response?.bodyUsed === false ? await error.response.text() : error.message;
    answer = error.error_description ?? error.cause?.get?.('error_description') ?? unread;
  }
  console.log(JSON.stringify({ mistake: name, reason, to_do: toDo, answer }));
}

/** Discovery at an address that is not the issuer's own: what the server says of it, or else what the library does. */
export async function discoverAt(address) {
  const url = new URL(address);
  const response = await oauth.discoveryRequest(url, { algorithm: 'oauth2', [oauth.allowInsecureRequests]: true });
  if (!response.ok) throw new Error(await response.text());
  return oauth.processDiscoveryResponse(url, response);
}
