// Written by `agtmux hooks install`, removed by `agtmux hooks uninstall`. Reports to agtmux what pi does. pi never waits
// for it, and it changes nothing. Errors are dropped.
import { spawn } from "node:child_process"

const COMMAND = ["agtmux", "hook", "pi"]
const TIMEOUT_MS = 3000
const MOST_WAITING = 100
// Nothing waits for the command, so it may take longer than a hook that blocks its agent.
const ENV = { ...process.env, AGTMUX_HOOK_CAP_MS: process.env.AGTMUX_HOOK_CAP_MS ?? "1000" }
const waiting = []
let busy = false
let last = 0

// One report at a time, in order, each with the moment of its event.
function report(name, payload) {
  waiting.push({ name, at: Date.now(), text: JSON.stringify(payload) })
  if (waiting.length > MOST_WAITING) waiting.shift()
  work()
}

async function work() {
  if (busy) return
  busy = true
  while (waiting.length) await send(waiting.shift())
  busy = false
}

function send({ name, at, text }) {
  return new Promise((done) => {
    try {
      last = Math.max(last + 1, 1000 * at)
      const [program, ...args] = [...COMMAND, "--event", name, "--at", `${last}000`]
      const child = spawn(program, args, { stdio: ["pipe", "ignore", "ignore"], env: ENV })
      const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS)
      const over = () => {
        clearTimeout(timer)
        done()
      }
      child.on("error", over)
      child.on("exit", over)
      child.stdin.on("error", () => {})
      child.stdin.end(text)
    } catch {
      done()
    }
  })
}

export default function (pi) {
  const on = (name, payload) =>
    pi.on(name, async (event, ctx) => {
      try {
        if (ctx.hasUI) report(name, { session: ctx.sessionManager?.getSessionId?.(), ...payload(event ?? {}) })
      } catch {
        return undefined // another version of pi hands over something else
      }
      return undefined
    })
  on("session_start", (event) => ({ reason: event.reason }))
  on("session_shutdown", (event) => ({ reason: event.reason }))
  on("before_agent_start", (event) => ({ prompt: String(event.prompt ?? "").slice(0, 2000) }))
  on("agent_end", (event) => {
    const messages = Array.isArray(event.messages) ? event.messages : []
    const answer = messages.filter((message) => message?.role === "assistant").at(-1)
    return { stopReason: answer?.stopReason, errorMessage: answer?.errorMessage }
  })
}
