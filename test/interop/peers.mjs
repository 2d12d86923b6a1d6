// One job for one library: node peers.mjs <library>, the job on standard input,
// the report on standard output. See interop_test.go.
import { createHmac, createPrivateKey, createPublicKey, createSign, generateKeyPairSync, hkdfSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import * as jose from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { createSigner, createVerifier } from 'fast-jwt'

const require = createRequire(import.meta.url)
const library = process.argv[2]
const job = JSON.parse(readFileSync(0, 'utf8'))

const pem = key => key.export({ type: 'spki', format: 'pem' })
const b64 = value => Buffer.from(value).toString('base64url')

// Each library as its README says, with what a careful service asks of it.
const libraries = {
  jose: {
    algorithms: ['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'HS256'],
    async verify (token, alg, keyOf) {
      const key = alg === 'HS256' ? keyOf() : jose.createRemoteJWKSet(new URL(job.jwks_url))
      const { payload } = await jose.jwtVerify(token, key, { algorithms: [alg], issuer: job.issuer, audience: job.audience, typ: 'at+jwt' })
      return payload
    },
    sign: (claims, alg, key, kid) => new jose.SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'at+jwt' }).sign(key)
  },
  jsonwebtoken: {
    algorithms: ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'HS256'],
    async verify (token, alg, keyOf) {
      const { header, payload } = jsonwebtoken.verify(token, keyOf(), { algorithms: [alg], issuer: job.issuer, audience: job.audience, complete: true })
      if (header.typ !== 'at+jwt') throw new Error('typ')
      return payload
    },
    sign: async (claims, alg, key, kid) => jsonwebtoken.sign(claims, key, { algorithm: alg, header: { alg, kid, typ: 'at+jwt' } })
  },
  'fast-jwt': {
    algorithms: ['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'HS256'],
    async verify (token, alg, keyOf) {
      const key = alg === 'HS256' ? keyOf() : pem(keyOf())
      return createVerifier({ key, algorithms: [alg], allowedIss: job.issuer, allowedAud: job.audience, checkTyp: 'at+jwt', requiredClaims: ['exp'] })(token)
    },
    sign: async (claims, alg, key, kid) => createSigner({
      key: Buffer.isBuffer(key) ? key : key.export({ type: 'pkcs8', format: 'pem' }), algorithm: alg, kid, header: { typ: 'at+jwt' }, noTimestamp: true
    })(claims)
  }
}

const peer = libraries[library]
const jwks = await (await fetch(job.jwks_url)).json()
// The published key of a token, or for HS256 the one that is derived from the
// secret (HKDF-SHA256, RFC 5869).
const published = token => {
  const { kid } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url'))
  const jwk = jwks.keys.find(k => k.kid === kid)
  if (!jwk) throw new Error('no such key')
  return createPublicKey({ key: jwk, format: 'jwk' })
}
const derived = () => Buffer.from(hkdfSync('sha256', job.secret, '', 'fiberjwt/v1/access/users', 32))
const tries = async ({ alg, token }) => peer.verify(token, alg, () => alg === 'HS256' ? derived() : published(token))

const report = { version: require(`${library}/package.json`).version, verified: [], refused: [], passed: [], tokens: [], hostile: [], jwks: { keys: [] } }
for (const good of job.good.filter(g => peer.algorithms.includes(g.alg))) {
  const payload = await tries(good)
  if (payload.sub !== '1' || payload.kind !== 'users') throw new Error('claims')
  report.verified.push(good.alg)
}
for (const bad of job.bad) {
  try {
    await tries(bad)
    report.passed.push(bad.attack)
  } catch {
    report.refused.push(bad.attack)
  }
}

// Tokens of its own, by keys of its own.
const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
const pair = alg => alg in curves ? generateKeyPairSync('ec', { namedCurve: curves[alg] })
  : alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('rsa', { modulusLength: 2048 })
const now = Math.floor(Date.now() / 1000)
const claims = { iss: `https://${library}.example`, aud: job.audience, sub: 'peer|1', iat: now, exp: now + 600 }
const keys = {}
for (const alg of peer.algorithms) {
  if (alg === 'HS256') {
    report.tokens.push({ alg, token: await peer.sign({ ...claims, iss: claims.iss + '/shared' }, alg, Buffer.from(job.shared), undefined) })
    continue
  }
  keys[alg] = pair(alg)
  report.jwks.keys.push({ ...keys[alg].publicKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' })
  report.tokens.push({ alg, token: await peer.sign(claims, alg, keys[alg].privateKey, alg) })
}

// And what nobody should take. Libraries that care would not make them.
const raw = (header, payload, sign) => {
  const text = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(payload))}`
  return `${text}.${sign(text)}`
}
const es = alg => text => createSign(alg === 'ES384' ? 'sha384' : 'sha256').update(text)
  .sign({ key: createPrivateKey(keys[alg].privateKey.export({ type: 'pkcs8', format: 'pem' })), dsaEncoding: 'ieee-p1363' }, 'base64url')
const header = { alg: 'ES256', kid: 'ES256', typ: 'at+jwt' }
const hostile = (attack, token) => report.hostile.push({ attack, token })
hostile('none', raw({ ...header, alg: 'none' }, claims, () => ''))
hostile('HS256 with the PEM', raw({ ...header, alg: 'HS256', kid: 'RS256' }, claims, text => createHmac('sha256', pem(keys.RS256.publicKey)).update(text).digest('base64url')))
hostile('wrong typ', raw({ ...header, typ: 'JWT' }, claims, es('ES256')))
hostile('no typ', raw({ alg: 'ES256', kid: 'ES256' }, claims, es('ES256')))
hostile('crit', raw({ ...header, crit: ['exp'] }, claims, es('ES256')))
hostile('wrong curve', raw({ ...header, kid: 'ES384' }, claims, es('ES384')))
hostile('DER signature', raw(header, claims, text => createSign('sha256').update(text).sign(keys.ES256.privateKey, 'base64url')))
hostile('unknown kid', raw({ ...header, kid: 'x' }, claims, es('ES256')))
hostile('another key', raw({ ...header, kid: 'ES256' }, claims, text => createSign('sha256').update(text).sign({ key: pair('ES256').privateKey, dsaEncoding: 'ieee-p1363' }, 'base64url')))
hostile('expired', raw(header, { ...claims, exp: now - 60 }, es('ES256')))
hostile('no exp', raw(header, { ...claims, exp: undefined }, es('ES256')))
hostile('wrong audience', raw(header, { ...claims, aud: 'x' }, es('ES256')))
hostile('wrong issuer', raw(header, { ...claims, iss: 'x' }, es('ES256')))
report.control = raw(header, claims, es('ES256'))
process.stdout.write(JSON.stringify(report))
