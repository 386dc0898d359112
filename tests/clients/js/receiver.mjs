// A webhook on loopback that stores Event Grid's deliveries and answers its handshakes. Contains no tests.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { control } from './sandbox.mjs';

/** How long to wait for a delivery, in milliseconds; one takes a few. */
const PATIENCE = 30_000;

export class Receiver {
  /** Every request, oldest first: `{ method, headers, body }`. */
  requests = [];

  /** The status of the responses to the next deliveries. */
  status = 200;

  /** If true, handshakes are answered correctly. */
  consents = true;

  #server = createServer((request, response) => this.#take(request, response));
  #subscriptions = [];

  static async start() {
    const receiver = new Receiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  /** Subscribes this webhook; returns the sandbox's response. */
  async subscribe(name, { webhook = {}, ...definition } = {}) {
    this.#subscriptions.push(name);
    const url = `http://127.0.0.1:${this.#server.address().port}/events`;
    return control('PUT', `subscriptions/${name}`, { ...definition, destination: { webhook: { url, ...webhook } } });
  }

  /** Returns the first matching delivery, waiting for it if necessary. */
  async delivery(fits) {
    const signal = AbortSignal.timeout(PATIENCE);
    for (;;) {
      const found = this.notifications().find(fits);
      if (found) return found;
      await once(this.#server, 'kept', { signal });
    }
  }

  /** Deliveries without handshakes. */
  notifications() {
    return this.requests.filter(({ headers }) => headers['aeg-event-type'] === 'Notification');
  }

  async stop() {
    for (const name of this.#subscriptions) await control('DELETE', `subscriptions/${name}`);
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(request, response) {
    const chunks = await request.toArray();
    const text = Buffer.concat(chunks).toString();
    const kept = { method: request.method, headers: request.headers, body: text && JSON.parse(text) };
    this.requests.push(kept);
    this.#answer(kept, response);
    this.#server.emit('kept');
  }

  #answer({ method, headers, body }, response) {
    if (method === 'OPTIONS') {
      const origin = this.consents ? { 'webhook-allowed-origin': headers['webhook-request-origin'] } : {};
      response.writeHead(200, origin).end();
    } else if (headers['aeg-event-type'] === 'SubscriptionValidation') {
      const validationResponse = this.consents ? body[0].data.validationCode : 'another';
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ validationResponse }));
    } else {
      response.writeHead(this.status).end();
    }
  }
}
