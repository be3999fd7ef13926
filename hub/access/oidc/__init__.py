"""Log-in by a provider (OpenID Connect): authorization code with PKCE, for one issuer that the operator names.

Decided, and why:

- A person is whom (issuer, subject) says, never whom an e-mail address says. Somebody whose address is taken here already is refused, until an admin
  opens that person for one log-in with the same, verified address (``hub user link``). From then on the provider decides: their password is gone.
- The role is read anew from the groups at each log-in, up and down. The provider's word holds for the last admin too, for who takes somebody out of
  a group means it; that is in the audit log, a warning in the log, and ``hub doctor`` says so. People with a password of this hub's own, the first
  admin among them, are never touched by groups. The way back in is ``hub admin link``, at the terminal.
- No group that counts: refused. Whoever is known already loses their sessions and every role but the least.
- Nothing is kept of what the provider gave but the subject, name, address and role: no token outlives the log-in.
- What is proved by joserfc and said by httpx needs no framework for clients: those follow redirects, read without limits, and would bring their own
  sessions.

Each step is proved by the browser's own cookie (see ``pending``), the tokens by their signature (``token``), the person by hub rows (``people``).
"""
