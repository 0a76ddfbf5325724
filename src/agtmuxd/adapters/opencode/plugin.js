// Written by `agtmux hooks install`, removed by `agtmux hooks uninstall`. Tells agtmux what OpenCode is doing; waits for
// nothing, changes nothing, and stays silent whatever goes wrong.
import { spawn } from "node:child_process"

const COMMAND = ["agtmux", "hook", "opencode"]
const EVENTS = new Set([/* events */])
const PATIENCE_MS = 3000 // the command ends itself within the time below; one that hangs is left behind
const MOST = 100 // of those that wait for their turn: the newest
// Nothing waits for the command, so it may take longer than a hook: on a busy machine OpenCode writes the payload late.
const ENV = { ...process.env, AGTMUX_HOOK_CAP_MS: process.env.AGTMUX_HOOK_CAP_MS ?? "1000" }
const children = new Map()
const statuses = new Map()
const waiting = []
let busy = false
let told = 0

// One at a time, each with the moment in which it happened: those that wait for their turn are told later. What is
// asked is not on the screen yet when it is told of: its moment is the latest that can be said. A prompt counts from half
// a second later: until then the screen may say that nothing runs, longest before a session's first one.
function tell(name, payload) {
  if (!EVENTS.has(name) || isKnown(name, payload)) return
  const happened = Date.now() + (name === "hook:chat.message" ? 500 : 0)
  waiting.push({ name, happened, text: JSON.stringify(payload) })
  if (waiting.length > MOST) {
    waiting.shift()
    lost()
  }
  work()
}

async function work() {
  if (busy) return
  busy = true
  while (waiting.length) await call(waiting.shift())
  busy = false
}

function call({ name, happened, text }) {
  return new Promise((done) => {
    try {
      told = Math.max(told + 1, 1000 * (name.endsWith(".asked") ? Date.now() : happened))
      const [program, ...args] = [...COMMAND, "--event", name, "--at", `${told}000`]
      const child = spawn(program, args, { stdio: ["pipe", "ignore", "ignore"], env: ENV })
      const late = setTimeout(() => {
        child.kill("SIGKILL")
        lost()
        done()
      }, PATIENCE_MS)
      const over = () => {
        clearTimeout(late)
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

// What was not heard may be told again.
function lost() {
  statuses.clear()
}

// Whatever another version of OpenCode hands over: what cannot be understood is not told, and OpenCode does not notice.
function quietly(what) {
  try {
    what()
  } catch {
    return
  }
}

// A turn says that it is busy at every step; that it is idle, session.idle says as well.
function isKnown(name, payload) {
  const session = payload.sessionID ?? payload.input?.sessionID
  if (name !== "event:session.status") {
    statuses.delete(session)
    return false
  }
  const status = payload.status?.type
  const same = statuses.get(session) === status
  statuses.set(session, status)
  return status === "idle" || (same && status === "busy")
}

// A sub-agent has a session of its own; only its creation says whose child it is.
function withParent(properties) {
  const info = properties?.info
  if (info?.id && info.parentID) children.set(info.id, info.parentID)
  const parent = children.get(properties?.sessionID)
  return parent ? { ...properties, parentID: parent } : properties
}

export const Agtmux = async () => {
  return {
    event: async (said) =>
      quietly(() => tell("event:" + said.event.type, withParent(said.event.properties ?? {}))),
    "chat.message": async (input, output) =>
      quietly(() => {
        const parts = Array.isArray(output?.parts) ? output.parts : []
        const text = parts.find((part) => part?.type === "text" && typeof part.text === "string")?.text
        tell("hook:chat.message", {
          input: withParent({ sessionID: input?.sessionID }),
          output: { parts: text ? [{ type: "text", text: text.slice(0, 2000) }] : [] },
        })
      }),
  }
}
