-- wrk -s post.lua URL -- PHOTO STATUS PAUSE: posts the photo as the form field `file`, or nothing
-- where it is "-"; counts every answer that has not that status (wrk itself would let any below
-- 400 pass). With a pause each connection rests before each request, up to twice as many ms.
local threads = {}

function setup(thread) table.insert(threads, thread) end

function init(args)
  wrk.method = "POST"
  if args[1] ~= "-" then fill_in(args[1]) end
  prepared = wrk.format()
  expected = tonumber(args[2])
  local pause = tonumber(args[3])
  if pause > 0 then
    delay = function() return math.random(0, 2 * pause) end
  end
  refused = 0
  other = 0
end

function fill_in(path)
  local file = assert(io.open(path, "rb"))
  local photo = file:read("*a")
  file:close()
  local boundary = "pixmill-bench-7MA4YWxkTrZu0gW"
  wrk.headers["Content-Type"] = "multipart/form-data; boundary=" .. boundary
  wrk.body = "--" .. boundary .. "\r\n"
    .. 'Content-Disposition: form-data; name="file"; filename="photo.jpg"\r\n'
    .. "Content-Type: image/jpeg\r\n\r\n" .. photo .. "\r\n--" .. boundary .. "--\r\n"
end

function request() return prepared end

function response(status)
  if status ~= expected then refused = refused + 1; other = status end
end

function done(summary, latency)
  local refusals, status = 0, 0
  for _, thread in ipairs(threads) do
    refusals = refusals + thread:get("refused")
    if thread:get("other") > 0 then status = thread:get("other") end
  end
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  print(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"p50_ms":%.2f,"p99_ms":%.2f,"refused":%d,"status":%d,"broken":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, refusals, status, broken))
end
