// The npm package `stytch` as published: every call that the server has, with nothing changed but
// address and credentials.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import stytch from 'stytch';

const stage = JSON.parse(readFileSync(process.env.SALLYPORT_STAGE, 'utf8'));
const { project, secret } = stage;
const env = `${stage.issuer}/`;
const client = new stytch.Client({ project_id: project, secret, env });

const ID = (kind) => new RegExp(`^${kind}-test-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`);
const address = () => `${randomUUID()}@example.com`;
let subscriber = 0;
const number = () => `+1415555${String(2000 + subscriber++)}`;

// refused checks the error object of the SDK.
const refused = (status, type) => (e) => {
  assert.ok(e instanceof stytch.StytchError, e);
  assert.deepEqual([e.status_code, e.error_type], [status, type], e);
  assert.match(e.request_id, ID('request-id'));
  assert.ok(e.error_message);
  assert.ok(e.error_url.startsWith('http') && e.error_url.endsWith(`#${type}`), e.error_url);
  return true;
};
const answered = (r) => {
  assert.equal(r.status_code, 200);
  assert.match(r.request_id, ID('request-id'));
  return r;
};

// codeOf is RFC 6238 with SHA-1, 6 digits and 30 seconds, some steps from now.
function codeOf(key, steps = 0) {
  const bits = [...key].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const raw = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + steps));
  const hash = createHmac('sha1', raw).update(counter).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, '0');
}

// fresh waits until a step has just begun if it is about to end, so that a code of the step
// before stays valid for the calls that follow.
async function fresh() {
  const rest = 30000 - Date.now() % 30000;
  if (rest < 8000) await pause(rest + 100);
}

// newest returns the code that was sent to an address last, unless it is an earlier one.
async function newest(to, not) {
  for (let tries = 0; tries < 200; tries++) {
    const lines = readFileSync(stage.outbox, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
    const found = lines.findLast((m) => m.recipient === to && m.code)?.code;
    if (found && found !== not) return found;
    await pause(50);
  }
  return assert.fail(`no message to ${to}`);
}
const wrong = (code) => (code === '000000' ? '111111' : '000000');

test('users', async () => {
  const email = address();
  const phone = number();
  const made = answered(await client.users.create({
    email: email.toUpperCase(), phone_number: phone, name: { first_name: 'Ada', last_name: 'Lovelace' },
    trusted_metadata: { plan: 'gold', seats: 3 }, untrusted_metadata: { theme: { dark: true } }, external_id: 'crm-7',
  }));
  assert.match(made.user_id, ID('user'));
  assert.match(made.email_id, ID('email'));
  assert.match(made.phone_id, ID('phone-number'));
  assert.equal(made.status, 'active');
  assert.deepEqual(made.user, {
    user_id: made.user_id, name: { first_name: 'Ada', middle_name: '', last_name: 'Lovelace' },
    emails: [{ email_id: made.email_id, email, verified: false }], phone_numbers: [{ phone_id: made.phone_id, phone_number: phone, verified: false }],
    status: 'active', webauthn_registrations: [], providers: [], totps: [], crypto_wallets: [], biometric_registrations: [], password: null,
    is_locked: false, lock_created_at: null, lock_expires_at: null, roles: ['stytch_user'], created_at: made.user.created_at,
    trusted_metadata: { plan: 'gold', seats: 3 }, untrusted_metadata: { theme: { dark: true } }, external_id: 'crm-7',
  });
  assert.match(made.user.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const { status_code, request_id, ...got } = answered(await client.users.get({ user_id: made.user_id }));
  assert.deepEqual(got, made.user);

  const changed = answered(await client.users.update({
    user_id: made.user_id, name: { middle_name: 'King' }, trusted_metadata: { seats: null, since: 1843 },
  }));
  assert.deepEqual([changed.user_id, changed.emails, changed.phone_numbers, changed.crypto_wallets], [made.user_id, made.user.emails, made.user.phone_numbers, []]);
  assert.deepEqual(changed.user.name, { first_name: 'Ada', middle_name: 'King', last_name: 'Lovelace' });
  assert.deepEqual([changed.user.trusted_metadata, changed.user.untrusted_metadata], [{ plan: 'gold', since: 1843 }, { theme: { dark: true } }]);

  await assert.rejects(client.users.create({ email }), refused(400, 'duplicate_email'));
  await assert.rejects(client.users.create({ email: email.toUpperCase() }), refused(400, 'duplicate_email'));
  await assert.rejects(client.users.create({ phone_number: phone }), refused(400, 'duplicate_phone_number'));
  await assert.rejects(client.users.create({ email: 'nowhere' }), refused(400, 'invalid_email'));
  await assert.rejects(client.users.create({ phone_number: '12' }), refused(400, 'invalid_phone_number'));
  await assert.rejects(client.users.create({ name: { first_name: 'Ada' } }), refused(400, 'invalid_create_user_request'));

  const without = answered(await client.users.deleteEmail({ email_id: made.email_id }));
  assert.deepEqual([without.user_id, without.user.emails], [made.user_id, []]);
  await assert.rejects(client.users.deleteEmail({ email_id: made.email_id }), refused(404, 'email_not_found'));
  const bare = answered(await client.users.deletePhoneNumber({ phone_id: made.phone_id }));
  assert.deepEqual(bare.user.phone_numbers, []);
  assert.equal(answered(await client.users.delete({ user_id: made.user_id })).user_id, made.user_id);
  await assert.rejects(client.users.get({ user_id: made.user_id }), refused(404, 'user_not_found'));
  await assert.rejects(client.users.get({ user_id: made.user_id.replace('-test-', '-live-') }), refused(404, 'user_not_found'));
  await assert.rejects(client.users.get({ user_id: 'ada' }), refused(400, 'invalid_user_id'));
});

test('a search with pages', async () => {
  const made = [];
  for (let i = 0; i < 5; i++) made.push(await client.users.create({ email: address(), create_user_as_pending: i > 2 }));
  const ids = made.map((u) => u.user_id).sort();
  const query = { operator: 'AND', operands: [{ filter_name: 'user_id', filter_value: ids }] };
  const pages = [];
  for await (const page of client.users.searchAll({ limit: 2, query })) pages.push(page);
  assert.deepEqual(pages.map((p) => p.length), [2, 2, 1]);
  assert.deepEqual(pages.flat().map((u) => u.user_id).sort(), ids);
  const first = answered(await client.users.search({ limit: 2, query }));
  assert.equal(first.results_metadata.total, 5);
  const found = async (...operands) => (await client.users.search({ query: { operator: 'AND', operands } })).results.map((u) => u.user_id);
  assert.deepEqual(await found({ filter_name: 'email_address', filter_value: [made[1].user.emails[0].email] }), [made[1].user_id]);
  const pending = await found(query.operands[0], { filter_name: 'status', filter_value: 'pending' });
  assert.deepEqual(pending.sort(), [made[3].user_id, made[4].user_id].sort());
  assert.deepEqual(await found({ filter_name: 'phone_number', filter_value: [number()] }), []);
  await assert.rejects(found({ filter_name: 'shoe_size', filter_value: ['42'] }), refused(400, 'user_search_filter_name_not_recognized'));
});

test('TOTP, recovery codes and a session with two factors', async () => {
  const user = await client.users.create({ email: address(), create_user_as_pending: true });
  assert.equal(user.status, 'pending');
  const { user_id } = user;
  await assert.rejects(client.totps.authenticate({ user_id, totp_code: '123456' }), refused(404, 'totps_not_found_for_user'));
  await assert.rejects(client.totps.create({ user_id, expiration_minutes: 4 }), refused(400, 'invalid_expiration'));
  await client.totps.create({ user_id });
  const app = answered(await client.totps.create({ user_id, expiration_minutes: 60 })); // replaces the one above
  assert.match(app.totp_id, ID('totp'));
  assert.match(app.secret, /^[A-Z2-7]{32}$/);
  assert.ok(app.qr_code.startsWith('data:image/png;base64,iVBOR'));
  assert.deepEqual(app.user.totps, [{ totp_id: app.totp_id, verified: false }]);
  assert.equal(app.recovery_codes.length, 10);
  for (const code of app.recovery_codes) assert.match(code, /^[0-9a-z]{4}(-[0-9a-z]{4}){2}$/);

  await fresh();
  await assert.rejects(client.totps.authenticate({ user_id, totp_code: wrong(codeOf(app.secret)) }), refused(401, 'unable_to_authenticate_totp'));
  await assert.rejects(client.totps.authenticate({ user_id, totp_code: '12345' }), refused(400, 'invalid_totp_code'));
  const plain = answered(await client.totps.authenticate({ user_id, totp_code: codeOf(app.secret, -1) }));
  assert.deepEqual([plain.totp_id, plain.user_id, plain.session, plain.session_token, plain.session_jwt], [app.totp_id, user_id, null, '', '']);
  assert.deepEqual([plain.user.status, plain.user.totps], ['active', [{ totp_id: app.totp_id, verified: true }]]);
  await assert.rejects(client.totps.authenticate({ user_id, totp_code: codeOf(app.secret, -1) }), refused(400, 'totp_code_already_authenticated'));
  await assert.rejects(client.totps.create({ user_id }), refused(400, 'active_totp_exists'));

  const shown = answered(await client.totps.recoveryCodes({ user_id }));
  assert.deepEqual(shown.totps, [{ totp_id: app.totp_id, verified: true, recovery_codes: app.recovery_codes }]);
  const begun = answered(await client.totps.authenticate({
    user_id, totp_code: codeOf(app.secret), session_duration_minutes: 60, session_custom_claims: { cart: 12, beta: true, iss: 'evil' },
  }));
  assert.match(begun.session.session_id, ID('session'));
  assert.ok(begun.session_token.length >= 44);
  assert.deepEqual(begun.session.authentication_factors.map((f) => [f.type, f.delivery_method, f.authenticator_app_factor]), [['totp', 'authenticator_app', { totp_id: app.totp_id }]]);
  assert.deepEqual(begun.session.custom_claims, { cart: 12, beta: true });

  const [code] = app.recovery_codes;
  const both = answered(await client.totps.recover({
    user_id, recovery_code: code.toUpperCase(), session_token: begun.session_token, session_custom_claims: { beta: null, step: 'up' },
  }));
  assert.deepEqual([both.totp_id, both.session.session_id, both.session_token], [app.totp_id, begun.session.session_id, begun.session_token]);
  assert.equal(both.session.expires_at, begun.session.expires_at);
  assert.deepEqual(both.session.authentication_factors.map((f) => f.type).sort(), ['recovery_codes', 'totp']);
  assert.match(both.session.authentication_factors.find((f) => f.type === 'recovery_codes').recovery_code_factor.totp_recovery_code_id, ID('totp-recovery-code'));
  assert.deepEqual(both.session.custom_claims, { cart: 12, step: 'up' });
  await assert.rejects(client.totps.recover({ user_id, recovery_code: code }), refused(401, 'unable_to_authenticate_recovery_code'));
  await assert.rejects(client.totps.recover({ user_id, recovery_code: 'x' }), refused(400, 'invalid_recovery_code'));
  assert.deepEqual((await client.totps.recoveryCodes({ user_id })).totps[0].recovery_codes, app.recovery_codes.slice(1));

  const bob = await client.users.create({ email: address() });
  const other = await client.totps.create({ user_id: bob.user_id });
  await assert.rejects(client.totps.authenticate({ user_id: bob.user_id, totp_code: codeOf(other.secret), session_token: begun.session_token }), refused(400, 'user_id_mismatch'));
  await assert.rejects(client.totps.authenticate({ user_id: bob.user_id, totp_code: codeOf(other.secret), session_token: 'nonsense' }), refused(404, 'session_not_found'));
  await client.totps.authenticate({ user_id: bob.user_id, totp_code: codeOf(other.secret) }); // neither call used the code up

  const removed = answered(await client.users.deleteTOTP({ totp_id: app.totp_id }));
  assert.deepEqual([removed.user_id, removed.user.totps], [user_id, []]);
  await assert.rejects(client.users.deleteTOTP({ totp_id: app.totp_id }), refused(404, 'totp_not_found'));
  await assert.rejects(client.totps.recoveryCodes({ user_id }), refused(404, 'totps_not_found_for_user'));
});

for (const [name, otps, member, id, to, factor] of [
  ['e-mail', client.otps.email, 'email', 'email_id', address, (f) => [f.type, f.delivery_method, f.email_factor?.email_address]],
  ['text message', client.otps.sms, 'phone_number', 'phone_id', number, (f) => [f.type, f.delivery_method, f.phone_number_factor?.phone_number]],
]) {
  const mail = member === 'email';
  test(`one-time codes by ${name}`, async () => {
    const at = to();
    await assert.rejects(otps.send({ [member]: at }), refused(404, mail ? 'email_not_found' : 'phone_number_not_found'));
    await assert.rejects(otps.send({ [member]: 'nowhere' }), refused(400, mail ? 'invalid_email' : 'invalid_phone_number'));
    await assert.rejects(otps.loginOrCreate({ [member]: at, expiration_minutes: 11 }), refused(400, 'invalid_expiration_otp'));
    const first = answered(await otps.loginOrCreate({ [member]: at, create_user_as_pending: true, attributes: { ip_address: '203.0.113.1', user_agent: 'Firefox' } }));
    assert.equal(first.user_created, true);
    assert.match(first[id], ID(mail ? 'email' : 'phone-number'));
    const old = await newest(at);
    const second = answered(await otps.send({ [member]: at, expiration_minutes: 10 }));
    assert.deepEqual([second.user_id, second[id]], [first.user_id, first[id]]);
    const code = await newest(at, old);
    const method_id = first[id];
    await assert.rejects(client.otps.authenticate({ method_id, code: old }), refused(404, 'otp_code_not_found'));
    await assert.rejects(client.otps.authenticate({ method_id, code: wrong(code) }), refused(404, 'otp_code_not_found'));
    await assert.rejects(client.otps.authenticate({ method_id, code: '1' }), refused(400, 'invalid_code'));
    await assert.rejects(client.otps.authenticate({ method_id: 'x', code }), refused(400, 'invalid_method_id'));
    const proven = answered(await client.otps.authenticate({
      method_id, code, session_duration_minutes: 30, attributes: { ip_address: '203.0.113.1', user_agent: 'Firefox' },
    }));
    assert.deepEqual([proven.method_id, proven.user_id, proven.reset_sessions, proven.user.status], [method_id, first.user_id, false, 'active']);
    assert.equal((mail ? proven.user.emails : proven.user.phone_numbers)[0].verified, true);
    assert.deepEqual(proven.session.authentication_factors.map(factor), [[mail ? 'email_otp' : 'otp', mail ? 'email' : 'sms', at]]);
    assert.deepEqual(proven.session.attributes, { ip_address: '203.0.113.1', user_agent: 'Firefox' });
    await assert.rejects(client.otps.authenticate({ method_id, code }), refused(401, 'unable_to_auth_otp_code'));

    const more = to(); // for a user who has another address
    const added = answered(await otps.send({ [member]: more, session_jwt: proven.session_jwt }));
    assert.equal(added.user_id, first.user_id);
    const again = await client.otps.authenticate({ method_id: added[id], code: await newest(more), session_token: proven.session_token });
    assert.deepEqual([again.session.session_id, again.session.authentication_factors.length], [proven.session.session_id, 2]);
    await assert.rejects(otps.send({ [member]: more, user_id: (await client.users.create({ email: address() })).user_id }),
      refused(400, mail ? 'duplicate_email' : 'duplicate_phone_number'));
  });
}

test('sessions and JWTs', async () => {
  const { user_id } = await client.users.create({ email: address() });
  const app = await client.totps.create({ user_id });
  await fresh();
  const begun = await client.totps.authenticate({ user_id, totp_code: codeOf(app.secret), session_duration_minutes: 5, session_custom_claims: { cart: 1 } });
  const { session_token, session_jwt, session } = begun;

  const local = await client.sessions.authenticateJwtLocal({ session_jwt });
  assert.deepEqual([local.session_id, local.user_id, local.custom_claims, local.roles], [session.session_id, user_id, { cart: 1 }, ['stytch_user']]);
  assert.deepEqual(local.authentication_factors, session.authentication_factors);
  assert.equal(new Date(local.expires_at).getTime(), new Date(session.expires_at).getTime());
  const [header, payload] = session_jwt.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
  assert.deepEqual([header.alg, header.typ, ID('jwk').test(header.kid)], ['RS256', 'JWT', true]);
  assert.deepEqual([payload.iss, payload.aud, payload.exp - payload.iat, payload.nbf], [`stytch.com/${project}`, [project], 300, payload.iat]);
  const cached = await client.sessions.authenticateJwt({ session_jwt });
  assert.equal(cached.session_jwt, session_jwt);
  assert.equal(cached.request_id, undefined, 'the SDK asked the server');
  await assert.rejects(client.sessions.authenticateJwtLocal({ session_jwt, current_date: new Date(Date.now() + 400000) }), { code: 'jwt_invalid' });
  const asked = answered(await client.sessions.authenticateJwt({ session_jwt, max_token_age_seconds: 0 }));
  assert.equal(asked.session.session_id, session.session_id);

  const extended = answered(await client.sessions.authenticate({ session_token, session_duration_minutes: 60, session_custom_claims: { cart: null, step: 2 } }));
  assert.ok(new Date(extended.session.expires_at) > new Date(session.expires_at));
  assert.deepEqual([extended.session_token, extended.session.custom_claims, extended.user.user_id], [session_token, { step: 2 }, user_id]);
  assert.deepEqual((await client.sessions.authenticateJwtLocal({ session_jwt: extended.session_jwt })).custom_claims, { step: 2 });
  const { keys } = answered(await client.sessions.getJWKS({ project_id: project }));
  const key = keys.find((k) => k.kid === header.kid);
  assert.deepEqual([key.kty, key.use, key.alg, key.key_ops, key.x5c.length], ['RSA', 'sig', 'RS256', ['verify'], 1]);
  assert.equal((await fetch(`${stage.issuer}/v1/sessions/jwks/${project}`)).status, 200); // without credentials

  await fresh();
  const second = await client.totps.authenticate({ user_id, totp_code: codeOf(app.secret, 1), session_duration_minutes: 5 });
  const all = answered(await client.sessions.get({ user_id })).sessions;
  assert.deepEqual(all.map((s) => s.session_id).sort(), [session.session_id, second.session.session_id].sort());
  await assert.rejects(client.sessions.authenticate({}), refused(400, 'no_session_arguments'));
  await assert.rejects(client.sessions.authenticate({ session_token, session_jwt }), refused(400, 'too_many_session_arguments'));
  await assert.rejects(client.sessions.authenticate({ session_token, session_duration_minutes: 4 }), refused(400, 'invalid_session_duration_minutes'));
  await assert.rejects(client.sessions.revoke({}), refused(400, 'no_session_revoke_arguments'));
  await assert.rejects(client.sessions.revoke({ session_token, session_id: session.session_id }), refused(400, 'too_many_session_revoke_arguments'));
  assert.deepEqual(Object.keys(answered(await client.sessions.revoke({ session_jwt }))).sort(), ['request_id', 'status_code']);
  await assert.rejects(client.sessions.authenticate({ session_token }), refused(404, 'session_not_found'));
  await assert.rejects(client.sessions.authenticate({ session_jwt: extended.session_jwt }), refused(404, 'session_not_found'));
  await assert.rejects(client.sessions.authenticate({ session_jwt: `${second.session_jwt.slice(0, -8)}AAAAAAAA` }), refused(404, 'session_not_found'));
  await client.sessions.revoke({ session_id: second.session.session_id });
  assert.deepEqual((await client.sessions.get({ user_id })).sessions, []);
  await assert.rejects(client.sessions.revoke({ session_token: second.session_token }), refused(404, 'session_not_found'));
});

test('credentials and addresses', async () => {
  for (const config of [
    { project_id: project, secret: 'secret-test-wrong' },
    { project_id: `project-test-${randomUUID()}`, secret },
    { project_id: project.replace('-test-', '-live-'), secret },
  ]) {
    await assert.rejects(new stytch.Client({ ...config, env }).users.search({}), refused(401, 'unauthorized_credentials'));
  }
  await assert.rejects(client.magicLinks.authenticate({ token: 'x' }), refused(404, 'route_not_found'));
  const other = new stytch.Client({ ...stage.other, env });
  const { user_id } = await other.users.create({ email: address() });
  const app = await other.totps.create({ user_id });
  const { session_jwt } = await other.totps.authenticate({ user_id, totp_code: codeOf(app.secret), session_duration_minutes: 5 });
  await assert.rejects(client.sessions.authenticate({ session_jwt }), refused(404, 'session_not_found')); // a JWT for another project
  await assert.rejects(client.sessions.authenticateJwtLocal({ session_jwt }), { code: 'jwt_invalid' });
});
