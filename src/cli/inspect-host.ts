// Joins the inspector's server to a running host: for `portside inspect` and `portside up
// --inspect`.

import { openHost } from '../node/control-client.ts';
import { LiveSource } from '../web/live.ts';
import { type Inspector, serveInspector } from '../web/server.ts';

/** The inspector of the host of that name (or path), or of the only one. */
export async function inspectHost(host: string | undefined, port: number): Promise<Inspector> {
  const client = await openHost(host);
  try {
    return await serveInspector(new LiveSource(client, () => openHost(host)), { port });
  } catch (reason) {
    client.close();
    throw reason;
  }
}
