// What a server or the way to it refuses before a session begins, for both ends: encryption, and a password that is missing.

import { codesOf, messageOf, type SluiceError, sluiceError } from 'sluice/sdk';

/** What to do about a login that the server refuses. A secret is read once, at the start. */
export const MEND_LOGIN =
  'correct the role at the server, and the stream goes on by itself; or correct the authentication and start Sluice anew: ' +
  'what `${env:…}` and `${file:…}` give is read when it starts';

/** null: it is something else. */
export function refusedConnection(code: 'E_SOURCE_CONNECT' | 'E_SINK_CONNECT', thrown: unknown): SluiceError | null {
  const message = messageOf(thrown);
  const ofTls = codesOf(thrown).some((one) => /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(one));
  if (ofTls || /SSL|TLS/.test(message)) {
    return sluiceError(code, {
      message: `the connection cannot be encrypted as asked for: ${message}`,
      fix: 'check `tls` and `tls_ca`, and the certificate of the server',
      cause: thrown,
    });
  }
  if (/password/.test(message) && /SASL|SCRAM/.test(message)) {
    return sluiceError(code, {
      message: 'the server asks for a password, and there is none',
      fix: 'give one with `auth_id`',
      cause: thrown,
    });
  }
  return null;
}
