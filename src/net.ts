// The door `portside/net`: node:net on the process's default host; no device, no rights needed.

import { defaultHost } from './node/default-host.ts';

const net = defaultHost().net;

export default net;
export const {
  BlockList,
  Server,
  Socket,
  SocketAddress,
  Stream,
  connect,
  createConnection,
  createServer,
  _createServerHandle,
  _normalizeArgs,
  _setSimultaneousAccepts,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  isIP,
  isIPv4,
  isIPv6,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
} = net;
