"""The streaming gateway: frames in, labelled faces out, one reply for each frame.

A frame's way, in the order to read it:

1. ``grpc_front`` and ``websocket_front`` take messages off the wire,
2. ``streams.serve_stream`` hands them to the client's ``sessions.Session``, which keeps the
   newest frame and owes one reply for each,
3. ``dispatcher.Dispatcher`` makes batches of all sessions' frames and asks the backends,
4. ``Session.complete`` follows the faces (``tracking``), decides where the next frame is searched
   for them (``search``) and makes the reply (``replies``),
5. ``serve_stream`` sends the replies in order.

``backends`` is the one place where other services are called, ``options`` the one where
requests are checked, ``grpcweb`` the browser's framing as a pure object.
"""
