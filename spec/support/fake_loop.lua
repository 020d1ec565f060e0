--- A loop for update.scheduler whose clock jumps to the end of every wait.
--
-- @module spec.support.fake_loop

--- @treturn table loop: at (seconds); due maps a descriptor to the time from which it is ready
return function()
  local loop = { at = 0, polls = 0, due = {} }
  function loop.poll(_, timeout, watches)
    loop.polls = loop.polls + 1
    assert(loop.polls < 2000, "spins")
    local till = loop.at + timeout / 1000
    for _, watch in ipairs(watches) do
      local at = loop.due[watch.fd]
      if at and at < till then till = math.max(at, loop.at) end
    end
    loop.at = till
    for _, watch in ipairs(watches) do
      watch.ready = (loop.due[watch.fd] or math.huge) <= loop.at
    end
    return true
  end
  return loop
end
