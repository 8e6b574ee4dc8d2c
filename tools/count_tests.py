"""Add up what ctest and pytest printed: `python3 tools/count_tests.py LOG STATUS` prints 'N passed, N failed'.

Not for judging: the exit status is the one it was given, or 1 where no test ran.
"""

import re
import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")
status = int(sys.argv[2])
passed = failed = skipped = 0
for failures, total in re.findall(r"tests passed, (\d+) tests failed out of (\d+)", text):
    passed += int(total) - int(failures)
    failed += int(failures)
for line in re.findall(r"^(?:=+ )?((?:\d+ \w+, )*\d+ \w+) in [\d.]+s", text, re.MULTILINE):
    for count, word in re.findall(r"(\d+) (passed|failed|error|errors|skipped)", line):
        passed += int(count) if word == "passed" else 0
        failed += int(count) if word in ("failed", "error", "errors") else 0
        skipped += int(count) if word == "skipped" else 0
if status == 0 and (passed == 0 or failed > 0):
    status = 1
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(status)
