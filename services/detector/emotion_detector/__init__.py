"""Face detector service: pictures in, labelled boxes and chips for the classifier out.

``header``    size and orientation of a JPEG, PNG or WebP file, without decoding it
``picture``   a file as upright pixels, within limits
``network``   the ONNX network and the letterboxed canvas that it sees
``boxes``     the network's outputs as faces
``chips``     upright 48x48 cut-outs of faces
``detector``  all of these in a row: picture file to faces and chips
``service``   the gRPC servicer: batches, threads, errors
``settings``  flags and environment variables
"""
