-- At content: what calls itself an invoice comes from whom it says, or goes to the junk folder.
-- [[script]]  name = "invoices"  stages = ["content"]  when = 'client.stranger'
local subjects = fact("header.Subject")
local invoice = false
for _, subject in ipairs(subjects) do
  local text = subject:lower()
  invoice = invoice or text:find("invoice", 1, true) ~= nil or text:find("rechnung", 1, true) ~= nil
end
if invoice and fact("dmarc") ~= "pass" then
  log("an invoice of " .. fact("author") .. ", which could be anybody")
  return { action = "junk", header = "X-Invoice: not authenticated" }
end
