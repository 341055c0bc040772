// A web application that signs in through a popup: window.open, then a message from its callback page to its opener.
// A Cross-Origin-Opener-Policy on any page on the way would cut the two apart.
import http from 'node:http';

/** What the application serves at its redirect URI. */
export const POPUP_CALLBACK = `<!doctype html><title>Signed in</title><script>
  window.opener?.postMessage({ arrived: location.search.length > 0 }, '*');
</script>`;

const APPLICATION = `<!doctype html><title>Application</title><button id="go">Connect</button><script>
  window.messages = [];
  addEventListener('message', (event) => messages.push({ from: event.origin, ...event.data }));
  document.querySelector('#go').onclick = () => window.open(decodeURIComponent(location.hash.slice(1)), 'sign-in', 'popup');
</script>`;

/** Presses the application's button, answers the popup; gives the message that the opener got and the callback URL. */
export async function openInPopup(person, authorizeUrl, redirectUri, seen) {
  const server = http.createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(request.url === '/' ? APPLICATION : '');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const application = await person.open(`http://127.0.0.1:${server.address().port}/#${encodeURIComponent(authorizeUrl)}`);
    const opened = application.waitForEvent('popup');
    await application.locator('#go').click();
    const popup = await opened;
    await popup.waitForLoadState('load');
    const answered = await person.answer(popup, redirectUri, seen);
    const message = await application.waitForFunction(() => window.messages[0], undefined, { timeout: 5_000 }).then(
      (handle) => handle.jsonValue(),
      () => null,
    );
    return { message, answered };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
