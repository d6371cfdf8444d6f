-- At rcpt: a web service knows which customers have been told not to write to us any more.
-- [[script]]  name = "ask-crm"  stages = ["rcpt"]
local service = "http://127.0.0.1:8077/blocked?sender="

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(c) return string.format("%%%02X", c:byte()) end))
end

local sender = fact("sender")
local known = shared.get("blocked " .. sender)  -- asked within the last five minutes
if known == nil then
  local answer, why = http.get(service .. escape(sender))
  if not answer then
    log("the CRM does not answer: " .. why)
    return
  end
  known = answer.status == 200 and answer.body:match("^yes") and "yes" or "no"
  shared.set("blocked " .. sender, known, 300)
end
if known == "yes" then
  return "reject", "please call us instead"
end
