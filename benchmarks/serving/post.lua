-- Posts the files of a folder in turn: wrk -s post.lua URL -- FOLDER COUNT CONTENT-TYPE [HEADER VALUE]...
-- Each file is the body of one request. Prints what it saw as one line of JSON.

local number = 0
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local folder, count = args[1], tonumber(args[2])
  local headers = { ["Content-Type"] = args[3] }
  for i = 4, #args, 2 do
    headers[args[i]] = args[i + 1]
  end
  requests, refused, hurt = {}, 0, 0
  for i = 0, count - 1 do
    local file = assert(io.open(folder .. "/" .. i, "rb"))
    requests[i + 1] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  number = number % #requests + 1
  return requests[number]
end

function response(status)
  if status == 503 then
    refused = refused + 1
  elseif status ~= 200 then
    hurt = hurt + 1
  end
end

function done(summary, latency)
  local refused, hurt = 0, 0
  for _, thread in ipairs(threads) do
    refused = refused + thread:get("refused")
    hurt = hurt + thread:get("hurt")
  end
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,"refused":%d,"other_status":%d,"socket_errors":%d,"timeouts":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    refused, hurt, errors.connect + errors.read + errors.write, errors.timeout))
end
