-- SPDX-License-Identifier: Apache-2.0
-- The peer of tests/bench/redirect.py: the same answer, as well as one can in nginx with Lua.
--
--   local redirect = require("redirect")
--   redirect.configure{secret =, audience =, access_key =, secret_key =, region =, host =, scheme =,
--                      bucket =, root =, expiry =, held = {["repository@digest"] = true}}
--   redirect.answer()        -- in content_by_lua
--
-- What is true of it, and of Fairlead: verified tokens are remembered by their text, and their
-- times and access lists looked at each time; where the blobs are is known already; the day's
-- signing key is kept with its HMAC begun. All by worker. Nothing here is interpreted where LuaJIT
-- can compile it: no patterns on the path of a token that is known, SHA-256 of libcrypto by FFI.
local ffi = require("ffi")
local bit = require("bit")

ffi.cdef[[
typedef struct {
  unsigned int h[8];
  unsigned int Nl, Nh;
  unsigned int data[16];
  unsigned int num, md_len;
} fairlead_SHA256_CTX;
int SHA256_Init(fairlead_SHA256_CTX *c);
int SHA256_Update(fairlead_SHA256_CTX *c, const void *data, size_t len);
int SHA256_Final(unsigned char *md, fairlead_SHA256_CTX *c);
]]
local crypto = ffi.load("libcrypto.so.3")
local find, sub, byte = string.find, string.sub, string.byte

local _M = {}
local settings

-- SHA-256 and its HMAC.

local context = ffi.new("fairlead_SHA256_CTX")
local digest = ffi.new("unsigned char[32]")
local hexadecimal = ffi.new("unsigned char[64]")
local digits = ffi.new("unsigned char[16]", "0123456789abcdef")
local block = ffi.new("unsigned char[64]")

local function to_hex()
  for i = 0, 31 do
    local value = digest[i]
    hexadecimal[2 * i] = digits[bit.rshift(value, 4)]
    hexadecimal[2 * i + 1] = digits[bit.band(value, 15)]
  end
  return ffi.string(hexadecimal, 64)
end

local function sha256_hex(text)
  crypto.SHA256_Init(context)
  crypto.SHA256_Update(context, text, #text)
  crypto.SHA256_Final(digest, context)
  return to_hex()
end

-- A key whose two first blocks are hashed already.
local function hmac_key(key)
  if #key > 64 then
    crypto.SHA256_Init(context)
    crypto.SHA256_Update(context, key, #key)
    crypto.SHA256_Final(digest, context)
    key = ffi.string(digest, 32)
  end
  local made = {inner = ffi.new("fairlead_SHA256_CTX"), outer = ffi.new("fairlead_SHA256_CTX")}
  for name, pad in pairs{inner = 0x36, outer = 0x5c} do
    ffi.fill(block, 64, 0)
    ffi.copy(block, key, #key)
    for i = 0, 63 do block[i] = bit.bxor(block[i], pad) end
    crypto.SHA256_Init(made[name])
    crypto.SHA256_Update(made[name], block, 64)
  end
  return made
end

-- Leaves the code in `digest`.
local function hmac(key, text)
  ffi.copy(context, key.inner, ffi.sizeof(context))
  crypto.SHA256_Update(context, text, #text)
  crypto.SHA256_Final(digest, context)
  ffi.copy(context, key.outer, ffi.sizeof(context))
  crypto.SHA256_Update(context, digest, 32)
  crypto.SHA256_Final(digest, context)
end

local function hmac_text(key, text)
  hmac(key, text)
  return ffi.string(digest, 32)
end

-- Tokens.

local kMaxTokens = 10000
local tokens, token_count = {}, 0
local token_key

local function decode_base64url(text)
  text = text:gsub("-", "+"):gsub("_", "/")
  return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

local function is_equal(a, b)
  if #a ~= #b then return false end
  local differences = 0
  for i = 1, #a do differences = bit.bor(differences, bit.bxor(byte(a, i), byte(b, i))) end
  return differences == 0
end

-- Debian has no JSON library for nginx: the few claims are found by patterns. Once for each token.
local function verify(token)
  local header, claims, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not header then return nil end
  local given = decode_base64url(signature)
  if not given or not is_equal(hmac_text(token_key, header .. "." .. claims), given) then return nil end
  local said, body = decode_base64url(header), decode_base64url(claims)
  if not said or not body or not said:find('"alg"%s*:%s*"HS256"') then return nil end
  if body:match('"aud"%s*:%s*"([^"]*)"') ~= settings.audience then return nil end
  local found = {expires = tonumber(body:match('"exp"%s*:%s*(%d+)')),
                 begins = tonumber(body:match('"nbf"%s*:%s*(%d+)')) or 0, pulls = {}}
  if not found.expires then return nil end
  for entry in (body:match('"access"%s*:%s*(%b[])') or ""):gmatch("%b{}") do
    local name, actions = entry:match('"name"%s*:%s*"([^"]*)"'), entry:match('"actions"%s*:%s*(%b[])')
    if name and actions and actions:find('"pull"', 1, true) then found.pulls[name] = true end
  end
  return found
end

local function known(token)
  local found = tokens[token]
  if found then return found end
  found = verify(token)
  if not found then return nil end
  if token_count >= kMaxTokens then tokens, token_count = {}, 0 end
  tokens[token], token_count = found, token_count + 1
  return found
end

-- Signatures.

local second, timestamp, day, query_head, query_middle, to_sign, day_key = 0

local function begin_second(now)
  local today = os.date("!%Y%m%d", now)
  second, timestamp = now, os.date("!%Y%m%dT%H%M%SZ", now)
  local scope = today .. "/" .. settings.region .. "/s3/aws4_request"
  if today ~= day then
    local key = "AWS4" .. settings.secret_key
    for _, part in ipairs{today, settings.region, "s3", "aws4_request"} do
      key = hmac_text(hmac_key(key), part)
    end
    day, day_key = today, hmac_key(key)
  end
  query_head = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" ..
      ngx.escape_uri(settings.access_key .. "/" .. scope) .. "&X-Amz-Date=" .. timestamp ..
      "&X-Amz-Expires=" .. settings.expiry .. "&X-Amz-SignedHeaders=host&response-content-type=" ..
      "application%2Foctet-stream"
  query_middle = "\n" .. query_head .. "\nhost:" .. settings.host .. "\n\nhost\nUNSIGNED-PAYLOAD"
  to_sign = "AWS4-HMAC-SHA256\n" .. timestamp .. "\n" .. scope .. "\n"
end

local function presign(path)
  local now = ngx.time()
  if now ~= second then begin_second(now) end
  local request = sha256_hex("GET\n" .. path .. query_middle)
  hmac(day_key, to_sign .. request)
  return settings.origin .. path .. "?" .. query_head .. "&X-Amz-Signature=" .. to_hex()
end

-- Requests.

local function refuse(status, code)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.print('{"errors":[{"code":"' .. code .. '","message":"refused"}]}')
end

function _M.configure(given)
  settings = given
  settings.origin = given.scheme .. "://" .. given.host
  settings.blobs = "/" .. given.bucket .. "/" .. given.root .. "/docker/registry/v2/blobs/sha256/"
  token_key = hmac_key(given.secret)
end

function _M.answer()
  local authorization = ngx.var.http_authorization
  if not authorization or sub(authorization, 1, 7) ~= "Bearer " then
    ngx.header["WWW-Authenticate"] = 'Bearer realm="http://' .. ngx.var.http_host .. '/token"'
    return refuse(401, "UNAUTHORIZED")
  end
  local token = known(sub(authorization, 8))
  local now = ngx.time()
  if not token or now > token.expires + 60 or now < token.begins - 60 then
    ngx.header["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return refuse(401, "UNAUTHORIZED")
  end
  local path = ngx.var.uri
  local at, last = find(path, "/blobs/sha256:", 5, true)
  if not at or sub(path, 1, 4) ~= "/v2/" or #path ~= last + 64 then return refuse(404, "NAME_UNKNOWN") end
  local repository, encoded = sub(path, 5, at - 1), sub(path, last + 1)
  if not token.pulls[repository] then return refuse(403, "DENIED") end
  local digest_text = sub(path, last - 6)
  if not settings.held[repository .. "@" .. digest_text] then return refuse(404, "BLOB_UNKNOWN") end
  local header = ngx.header
  header["Location"] = presign(settings.blobs .. sub(encoded, 1, 2) .. "/" .. encoded .. "/data")
  header["Docker-Content-Digest"] = digest_text
  header["Docker-Distribution-Api-Version"] = "registry/2.0"
  header["Cache-Control"] = "no-store"
  header["Content-Length"] = "0"
  ngx.status = 307
  ngx.send_headers()
end

return _M
