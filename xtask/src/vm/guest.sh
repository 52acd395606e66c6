# Runs in the guest, in its view of the host's root folder. AGENT, TESTS, MANIFEST, LIMIT and NAMES
# are set above. Everything goes to the second serial port; lines that begin with @@ are for
# `report.rs`.
exec >/dev/ttyS1 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root RUST_BACKTRACE=0
export TAG52_BIN="$AGENT" TAG52_VM=1 CARGO_MANIFEST_DIR="$MANIFEST"
now() { cut -d' ' -f1 /proc/uptime; }
echo "@@ kernel $(uname -r)"
echo "@@ up $(now)"
# The agent alone, on a process without FIX: attached, it ends with that process.
sleep 20 &
sleeper=$!
"$AGENT" run --pid $sleeper >/tmp/agent.out 2>&1 &
agent=$!
start=$(now)
for _ in $(seq "$LIMIT"); do
    grep -q 'watching pid' /tmp/agent.out && break
    kill -0 $agent 2>/dev/null || break
    sleep 1
done
attached=$(now)
kill $sleeper 2>/dev/null
wait $agent
code=$?
cat /tmp/agent.out
echo "@@ said $(head -n 1 /tmp/agent.out)"
echo "@@ lines $(grep -c . /tmp/agent.out)"
echo "@@ agent $code $start $attached"
for name in $NAMES; do
    start=$(now)
    timeout -k 5 "$LIMIT" "$TESTS" --exact "$name" --nocapture --test-threads=1
    echo "@@ test $name $? $start $(now)"
done
echo "@@ end $(now)"
