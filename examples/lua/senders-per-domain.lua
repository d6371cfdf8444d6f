-- At rcpt: no more than 20 recipients a minute from one network to one of our domains.
-- [[script]]  name = "senders-per-domain"  stages = ["rcpt"]  when = 'client.stranger'
local key = fact("client.network") .. " " .. fact("recipient.domain")
local count = shared.incr("recipients " .. key, 1, 60)
if count > 20 then
  return { action = "defer", status = "4.7.28", text = "too much mail at once, try again in a minute" }
end
