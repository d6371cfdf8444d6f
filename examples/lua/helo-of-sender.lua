-- At mail: a stranger without a reverse name must at least call itself by a name that leads back to its address.
-- [[script]]  name = "helo-of-sender"  stages = ["mail"]  when = 'client.stranger'
if fact("client.name") ~= "" then return end

local address = fact("client.address")
local type = address:find(":", 1, true) and "AAAA" or "A"
local addresses, why = dns.lookup(fact("helo"), type)
if not addresses then
  return "defer", "your name could not be looked up: " .. why
end
for _, one in ipairs(addresses) do
  if one == address then return end
end
return { score = 2, tag = "odd-helo" }
