-- In a cluster the keys that accept only looks up are declared too: while their slot moves, a node that
-- lacks some of them must refuse. They stand behind the others, whose number is the last of ARGV.
for place = #KEYS, tonumber(table.remove(ARGV)) + 1, -1 do
  KEYS[place] = nil
end
