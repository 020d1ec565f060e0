-- A script that does nothing for a tenth of a second: the memory of a bare host.
local over = os.clock() + 0.1
while os.clock() < over do
end
