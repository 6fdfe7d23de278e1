"""The door for browsers and for the command line: HTTP on two Unix sockets, none of it public by itself.

sites       the two listeners: console.sock (the front's upstream) and admin.sock (the CLI's, own uid or root only); peer reads who is calling
door        what every request passes: request id, syntax, guard; then calls or files
guard       who may have what, and which requests are a foreign page's doing (pure)
endpoint    a call stated once: method, path, types, guard, summary; everything else is derived from it
app         Klein routes made from the table of endpoints: decode, call, answer
api/        the calls themselves, one module per subject; its __init__ has the table
openapi     the same table as an OpenAPI document
static      the built pages (assets/) from an index made at start; pages has their policy
reply, problem   how an answer and a refusal look on the wire, each in one place
neighbours  the interfaces that all of this is given
"""
