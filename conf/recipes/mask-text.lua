-- Mail addresses, card numbers and bearer tokens in the message, for mask-text.conf.

-- luhn tells whether digits have the check digit of a card number: other long numbers, such as times and ids, stay.
local function luhn(digits)
    local sum, double = 0, false
    for i = #digits, 1, -1 do
        local d = tonumber(digits:sub(i, i))
        if double then
            d = d * 2
            if d > 9 then d = d - 9 end
        end
        sum, double = sum + d, not double
    end
    return sum % 10 == 0
end

-- card masks a run of digits, single spaces and hyphens, but for its last four digits.
local function card(run)
    local digits = run:gsub("%D", "")
    if #digits >= 13 and #digits <= 19 and luhn(digits) then
        return "****" .. digits:sub(-4)
    end
end

-- mask returns 0 where nothing is masked, which leaves the record's bytes alone; 2 where something is, which leaves its time.
function mask(tag, timestamp, record)
    local text = record["message"]
    if type(text) ~= "string" then return 0, timestamp, record end
    local masked = text:gsub("[%w._%%+-]+@[%w.-]+%.%a%a+", "***@***")
    masked = masked:gsub("([Bb]earer )[%w._~+/-]+=*", "%1***")
    masked = masked:gsub("%d[%d -]+%d", card)
    if masked == text then return 0, timestamp, record end
    record["message"] = masked
    return 2, timestamp, record
end
