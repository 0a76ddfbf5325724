// Written by `agtmux hooks install`, removed by `agtmux hooks uninstall`. Tells agtmux what OpenCode is doing; waits for
// nothing, changes nothing, and stays silent whatever goes wrong.
import { spawn } from "node:child_process"

const COMMAND = ["agtmux", "hook", "opencode"]
const EVENTS = new Set([/* events */])
const children = new Map()
let last = Promise.resolve()

// One at a time, so that they arrive in the order in which they happened.
function tell(name, payload) {
  if (!EVENTS.has(name)) return
  const text = JSON.stringify(payload ?? {})
  last = last.then(
    () =>
      new Promise((done) => {
        try {
          const [program, ...args] = COMMAND
          const child = spawn(program, [...args, "--event", name], { stdio: ["pipe", "ignore", "ignore"] })
          child.on("error", done)
          child.on("exit", done)
          child.stdin.on("error", () => {})
          child.stdin.end(text)
        } catch {
          done()
        }
      }),
  )
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
    event: async ({ event }) => tell("event:" + event.type, withParent(event.properties ?? {})),
    "chat.message": async (input, output) => {
      const text = output?.parts?.find((part) => part.type === "text")?.text
      tell("hook:chat.message", {
        input: withParent({ sessionID: input?.sessionID }),
        output: { parts: text ? [{ type: "text", text: text.slice(0, 2000) }] : [] },
      })
    },
  }
}
