// Runs the session with the AWS SDK for JavaScript, version 3.
const fs = require("fs");
const sdk = require("@aws-sdk/client-cloudtrail");

const client = new sdk.CloudTrailClient({ endpoint: process.argv[2], maxAttempts: 1 });
const saved = {};
const times = new Set(["StartTime", "EndTime", "StartEventTime", "EndEventTime"]);

function fill(v, key) {
  if (typeof v === "string") return v.replace(/\$\{(\w+)\}/g, (_, name) => saved[name]);
  if (typeof v === "number" && times.has(key)) return new Date(v * 1000);
  if (Array.isArray(v)) return v.map((x) => fill(x));
  if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, fill(x, k)]));
  return v;
}

const at = (v, path) => path.split(".").reduce((o, k) => (o === undefined || o === null ? undefined : o[k]), v);

async function main() {
  const root = require.resolve("@aws-sdk/client-cloudtrail").split("/dist-")[0];
  console.log("version", JSON.parse(fs.readFileSync(root + "/package.json")).version);
  const steps = JSON.parse(fs.readFileSync(process.argv[3]));
  for (const [n, step] of steps.entries()) {
    const name = `${n + 1} ${step.op}`;
    const Command = step.service ? undefined : sdk[step.op + "Command"];
    if (!Command) {
      console.log("skip", name);
      continue;
    }
    const deadline = Date.now() + 60000;
    let out, code, have;
    for (;;) {
      code = "";
      try {
        out = await client.send(new Command(fill(step.in)));
      } catch (e) {
        out = e.message;
        code = e.name;
      }
      have = step.until && !code ? at(out, step.until.path) : undefined;
      if (!step.until || code || (have !== undefined && (step.until.is === "*" || String(have) === step.until.is)) || Date.now() > deadline) break;
      await new Promise((r) => setTimeout(r, 100));
    }
    if (code !== (step.code || "")) {
      console.log(`not ok ${name}: got ${code}, want ${step.code || ""}: ${JSON.stringify(out)}`);
      continue;
    }
    if (step.until && (have === undefined || (step.until.is !== "*" && String(have) !== step.until.is))) {
      console.log(`not ok ${name}: ${step.until.path} is ${have}, want ${step.until.is}`);
      continue;
    }
    for (const [k, p] of Object.entries(step.save || {})) {
      saved[k] = at(out, p);
      if (k === "store") saved.storeid = saved[k].split("/").pop();
    }
    console.log("ok", name);
  }
}

main().catch((e) => {
  console.log("not ok session:", e);
  process.exit(1);
});
