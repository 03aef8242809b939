/**
 * The log-in: a token, or a client's id and secret for which the built-in issuer gives one. What was typed is cleared.
 */

import { ApiError, tokenFor } from "./api.js";
import { byId, write } from "./elements.js";
import { bare, subject } from "./session.js";

/**
 * @param {import("./session.js").Session} session
 */
export function login(session) {
  const form = byId("login");
  const [token, id, secret, error, go] = ["token", "client-id", "client-secret", "login-error", "login-go"].map(byId);

  const show = () => {
    form.hidden = session.open;
    byId("logout").hidden = !session.open;
    byId("logout").title = subject(session.token);
    if (session.open) return;
    write(error, session.why && `${session.why} Log in again${session.proven ? ": what is shown stays" : ""}.`);
    token.focus();
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    write(error, "");
    go.disabled = true;
    try {
      const given = bare(token.value);
      if (!given && !(id.value && secret.value)) {
        write(error, "Give a token, or a client's id and its secret.");
        return;
      }
      if (!/^[\x21-\x7e]*$/.test(given)) {
        write(error, "This isn't a token: one has letters, digits and signs of ASCII, without spaces.");
        return;
      }
      session.begin(given || (await tokenFor(id.value, secret.value)));
      form.reset();
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      write(error, problem.text);
    } finally {
      go.disabled = false;
    }
  });
  byId("logout").addEventListener("click", () => session.end(""));
  session.listen(show);
  show();
}
