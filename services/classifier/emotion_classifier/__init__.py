"""The embedded classifier: TensorFlow Serving's gRPC API over LiteRT, from the same files.

Read in this order to follow a call from the socket to the answer:

``service``    the gRPC methods and their checks
``servables``  which versions are loaded, who asks for which, how they come and go
``tensors``    TensorProto to numpy and back
``workers``    the threads that share the faces of a batch
``model``      one loaded version

and, around it, ``config`` (models.config), ``versions`` (which versions a policy wants),
``settings`` (flags) and ``__main__`` (start, serve, drain).
"""
